"""Writes tensorly.json: figures of TensorLy 0.10.0 that the tests of this crate compare with.

    pip install tensorly==0.10.0 numpy && python make_fixture.py > tensorly.json
"""

import json
import sys

import numpy as np
import tensorly as tl
from tensorly.decomposition import parafac, tensor_train, tucker
from tensorly.tenalg import khatri_rao, mode_dot


def entries(shape, seed):
    """The numbers that the tests make too: a linear congruential generator."""
    state, out = seed, []
    for _ in range(int(np.prod(shape))):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 11) / 2**52 - 1.0)
    return np.array(out).reshape(shape)


x = entries((4, 5, 6), 1)
a, b = entries((3, 5), 2), entries((7, 5), 3)
low = tl.cp_to_tensor((None, [entries((6, 2), 4), entries((5, 2), 5), entries((4, 2), 6)]))

core, factors = tucker(x, rank=[2, 3, 2], init="svd", tol=1e-14, n_iter_max=1000)
cp = parafac(low, rank=2, init="svd", tol=1e-14, n_iter_max=5000)
cp_x = parafac(x, rank=2, init="svd", tol=1e-15, n_iter_max=20000)
tt = tensor_train(x, rank=[1, 3, 2, 1])
json.dump(
    {
        "version": tl.__version__,
        "unfold_1": tl.unfold(x, 1).tolist(),
        "mode_dot_1": mode_dot(x, a, 1).ravel().tolist(),
        "khatri_rao": khatri_rao([a, b]).tolist(),
        "hooi_error": float(tl.norm(x - tl.tucker_to_tensor((core, factors)))),
        "cp_exact_error": float(tl.norm(low - tl.cp_to_tensor(cp))),
        "cp_error": float(tl.norm(x - tl.cp_to_tensor(cp_x))),
        "tt_error": float(tl.norm(x - tl.tt_to_tensor(tt))),
    },
    sys.stdout,
)
