"""Reference numbers for tests/spectrum.rs: spectra.json and pnet.safetensors. Needs numpy, safetensors, torch.

    python make_spectra.py FACENET_DATA [VBMF.py]

FACENET_DATA is facenet_pytorch/data of facenet-pytorch 2.6.0 (PyPI, MIT): MTCNN of Zhang et al. 2016, trained weights.
VBMF.py (optional, not shipped): the program that compression tools use, CasvandenBogaard/VBMF at 92b5e34, with its print
statements removed; the noise variance and rank that it finds are then stored as "program".

Spectra are NumPy SVDs in 8-byte floats of explicitly built unfoldings (block-diagonal matrices for groups). EVBMF follows the
equations of Nakajima, Sugiyama, Babacan, Tomioka, JMLR 14 (2013): the free energy as it stands there, with all its terms, its
minimum by a dense grid and a bounded search in each of its best places; the zero of Xi by SciPy's brentq.
"""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from scipy.optimize import brentq, minimize_scalar

HERE = Path(__file__).parent
rng = np.random.default_rng(20131)


def evbmf(values, rows, columns):
    l, m = sorted((rows, columns))
    alpha = l / m
    phi = lambda z: np.log(z + 1) / z - 0.5
    tau_lower = brentq(lambda t: phi(t) + phi(t / alpha), 2 * alpha, 3, xtol=1e-15)
    x_lower = (1 + tau_lower) * (1 + alpha / tau_lower)

    def energy(v):
        x = values**2 / (m * v)
        y = x[x > x_lower]
        tau = ((y - 1 - alpha) + np.sqrt((y - 1 - alpha) ** 2 - 4 * alpha)) / 2
        psi1 = np.log(tau + 1) + alpha * np.log(tau / alpha + 1) - tau
        return np.sum(x - np.log(x)) + np.sum(psi1)

    most = min(int(np.ceil(l / (1 + alpha))) - 1, len(values))
    low = max(values[most] ** 2 / (m * x_lower), np.mean(values[most:] ** 2) / m)
    high = np.sum(values**2) / (l * m)
    grid = np.exp(np.linspace(np.log(low), np.log(high), 4001))
    at = np.array([energy(v) for v in grid])
    best = np.inf, high
    for i in np.argsort(at)[:5]:
        a, b = grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)]
        found = minimize_scalar(energy, bounds=(a, b), method="bounded", options={"xatol": 1e-14 * b})
        best = min(best, (found.fun, found.x), (at[i], grid[i]))
    variance = best[1]
    return {
        "tau_lower": tau_lower,
        "noise_variance": float(variance),
        "rank": int(np.sum(values > np.sqrt(m * variance * x_lower))),
    }, lambda v: float(energy(v) - best[0])


def program(matrix):
    if len(sys.argv) < 3:
        return None
    spec = importlib.util.spec_from_file_location("VBMF", sys.argv[2])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    _, kept, _, post = module.EVBMF(matrix)
    return {"rank": kept.shape[0], "noise_variance": float(post["sigma2"])}


def factorisation(name, matrix):
    values = np.linalg.svd(matrix, compute_uv=False)
    answer, excess = evbmf(values, *matrix.shape)
    theirs = program(matrix)
    if theirs is not None:
        # How far above the minimum of the free energy the program stopped: its search is bounded, for one local minimum, to
        # an absolute 1e-5 of the variance.
        theirs["excess"] = excess(theirs["noise_variance"])
    return {
        "name": name,
        "rows": matrix.shape[0],
        "columns": matrix.shape[1],
        "singular_values": values.tolist(),
        "evbmf": answer,
        "program": theirs,
    }


def low_rank(rows, columns, rank, noise):
    signal = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))
    return signal + noise * rng.normal(size=(rows, columns))


def unfoldings(weight, groups, transposed):
    """Output and input unfolding of a kernel, block-diagonal over groups."""
    output, input_ = [], []
    for block in np.split(weight.astype(np.float64), groups, axis=0):
        first = block.reshape(block.shape[0], -1)
        second = np.moveaxis(block, 1, 0).reshape(block.shape[1], -1)
        output.append(second if transposed else first)
        input_.append(first if transposed else second)
    return blocks(output), blocks(input_)


def blocks(parts):
    whole = np.zeros(np.sum([p.shape for p in parts], axis=0))
    row = column = 0
    for p in parts:
        whole[row : row + p.shape[0], column : column + p.shape[1]] = p
        row, column = row + p.shape[0], column + p.shape[1]
    return whole


def kernel(name, shape, groups=1, transposed=False, rank=None):
    weight = rng.normal(size=shape).astype(np.float32)
    if rank is not None:
        weight = (rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, weight[0].size))).astype(np.float32).reshape(shape)
    sides = []
    for unfolding in unfoldings(weight, groups, transposed):
        values = np.linalg.svd(unfolding, compute_uv=False)
        kept = np.cumsum(values**2) / np.sum(values**2)
        sides.append(
            {
                "singular_values": values[values > 0].tolist(),
                "rank": int(np.linalg.matrix_rank(unfolding, tol=1e-5 * values[0])),
                "stable_rank": float(np.linalg.norm(unfolding) ** 2 / np.linalg.norm(unfolding, 2) ** 2),
                "energy": [int(np.argmax(kept >= share) + 1) for share in (0.90, 0.95, 0.99)],
            }
        )
    return {
        "name": name,
        "shape": shape,
        "groups": groups,
        "transposed": transposed,
        "weight": [float(v) for v in weight.ravel()],
        "output": sides[0],
        "input": sides[1],
    }


matrices = [
    factorisation("rank 5 of 20x60, little noise", low_rank(20, 60, 5, 0.1)),
    factorisation("rank 5 of 60x20, more noise", low_rank(60, 20, 5, 1.0)),
    factorisation("rank 10 of 64x576, noise 3", low_rank(64, 576, 10, 3.0)),
    factorisation("rank 8 of 50x50", low_rank(50, 50, 8, 0.5)),
    factorisation("noise alone, 40x80", rng.normal(size=(40, 80))),
    factorisation("rank 3 of 12x1000", low_rank(12, 1000, 3, 2.0)),
    factorisation("tiny entries", 1e-12 * low_rank(16, 48, 4, 0.3)),
]
for net in ("pnet", "rnet", "onet"):
    state = torch.load(Path(sys.argv[1]) / f"{net}.pt", map_location="cpu", weights_only=True)
    if net == "pnet":
        # Some are transposed views, which safetensors.numpy would store in the order of memory.
        save_file({k: np.ascontiguousarray(v.numpy()) for k, v in state.items()}, HERE.parents[2] / "graph/tests/data/pnet.safetensors")
    for name, tensor in state.items():
        weight = tensor.numpy().astype(np.float64)
        if weight.ndim == 4 and weight.shape[0] >= 16 and min(weight.shape[:2]) > 1:
            output, input_ = unfoldings(weight, 1, False)
            matrices.append(factorisation(f"{net} {name} output", output))
            matrices.append(factorisation(f"{net} {name} input", input_))

kernels = [
    kernel("convolution", [8, 6, 3, 3]),
    kernel("low rank", [24, 4, 3, 3], rank=5),
    kernel("tall", [30, 3, 2]),
    kernel("grouped", [12, 3, 3], groups=4),
    kernel("depthwise", [6, 1, 3, 3], groups=6),
    kernel("transposed", [5, 7, 2, 2], transposed=True),
    kernel("transposed, grouped", [6, 4, 3], groups=2, transposed=True),
    kernel("matrix", [9, 14], rank=4),
    kernel("three spatial modes", [4, 3, 2, 2, 2]),
]
(HERE / "spectra.json").write_text(json.dumps({"matrices": matrices, "kernels": kernels}, indent=None) + "\n")
for m in matrices:
    print(m["name"], m["evbmf"], m["program"])
