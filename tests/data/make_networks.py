"""Writes networks.json: linear CNNs computed by JAX, in float64.

    pip install jax==0.10.2 numpy && python make_networks.py > networks.json
"""

import json
import sys

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
from jax import lax  # noqa: E402

rng = np.random.default_rng(20201122)


def network(name, space, channels, kernel, stride, padding, dilation, pool, pool_stride, kernels, outputs, n=5):
    """Spatial modes first, the channel mode last, as a geometry file names them."""
    dims = len(space)
    letters = "DHW"[-dims:]
    x = rng.standard_normal((n, *space, channels))
    a = rng.standard_normal((kernels, *kernel, channels))
    conv = lax.conv_general_dilated(
        x,
        np.moveaxis(a, 0, -1),
        window_strides=stride,
        padding=[(p, p) for p in padding],
        rhs_dilation=dilation,
        dimension_numbers=("N" + letters + "C", letters + "IO", "N" + letters + "C"),
    )
    window, step = (1, *pool, 1), (1, *pool_stride, 1)
    pooled = lax.reduce_window(conv, 0.0, lax.add, window, step, "VALID") / np.prod(pool)
    b = rng.standard_normal((kernels, *pooled.shape[1:-1], 1) + ((outputs,) if outputs > 1 else ()))
    flat = np.asarray(pooled).reshape(n, -1, kernels)
    y = np.einsum("npk,kpo->no", flat, b.reshape(kernels, flat.shape[1], -1))
    geometry = {
        "input": [*space, channels],
        "kernel": [*kernel, channels],
        "stride": [*stride, 1],
        "padding": [*padding, 0],
        "dilation": [*dilation, 1],
        "pool": [*pool, 1],
        "pool_stride": [*pool_stride, 1],
    }
    array = lambda v: {"shape": list(v.shape), "data": [float(f) for f in v.ravel()]}  # noqa: E731
    return {
        "name": name,
        "geometry": "".join(f"{k} = {v}\n" for k, v in geometry.items()),
        "kernels": array(a),
        "weights": array(b),
        "inputs": array(x),
        "outputs": array(y if outputs > 1 else y[:, 0]),
    }


networks = [
    network("1-D plain", [12], 1, [3], [1], [0], [1], [2], [2], 2, 1),
    network("1-D multi-channel, strided, dilated", [15], 3, [3], [2], [1], [2], [2], [1], 3, 1),
    network("2-D padded", [7, 8], 3, [3, 3], [1, 1], [1, 1], [1, 1], [2, 3], [2, 3], 2, 1),
    network("2-D strided, dilated, overlapping pools", [9, 11], 2, [3, 2], [2, 1], [1, 0], [1, 3], [2, 3], [1, 2], 2, 3),
    network("3-D strided, padded, dilated", [6, 7, 5], 2, [2, 3, 2], [2, 1, 1], [1, 1, 0], [1, 2, 1], [2, 2, 2], [1, 2, 2], 2, 1),
    network("3-D several outputs", [5, 5, 5], 1, [3, 3, 3], [1, 1, 1], [0, 0, 0], [1, 1, 1], [3, 3, 3], [3, 3, 3], 1, 2),
]
json.dump({"program": f"JAX {jax.__version__}", "networks": networks}, sys.stdout)
