"""Writes risk.json: tr[(Q' S Q)^-1] and tr[(Q' S Q)^-2] of THEORY 4.3 in 60 digits (mpmath), for geometries whose second
moment S is ill-conditioned or singular and factors near points where the structure loses rank. Geometry and networks
are written out here anew.

    pip install mpmath==1.4.1 numpy==2.4.6 && python make_risk.py > risk.json
"""

import json
import sys

import mpmath as mp
import numpy as np

mp.mp.dps = 60
ZERO = mp.mpf(10) ** -25


def exact(a):
    return np.array([mp.mpf(float(v)) for v in np.asarray(a).flat], dtype=object).reshape(np.shape(a))


def factor(d, l, q, t):
    """U_F of one mode with stride 1 and no padding: column (i, a) averages the rows i t + r + a, r < q."""
    p = (d - l + 1 - q) // t + 1
    u = np.array([[mp.mpf(0)] * (p * l) for _ in range(d)], dtype=object)
    for i in range(p):
        for a in range(l):
            for r in range(q):
                u[i * t + r + a, i * l + a] += mp.mpf(1) / q
    return p, u


def eig(a):
    values, vectors = mp.eigsy(mp.matrix(a.tolist()))
    n = a.shape[0]
    return [values[i] for i in range(n)], np.array(vectors.tolist(), dtype=object).reshape(n, n)


def case(name, geometry, text, sizes, factors):
    modes = [factor(*m) for m in zip(*geometry)]
    labels = text.split("->")[1]
    grams = [u.T @ u for _, u in modes]
    # vec(Z) runs over (p_1 p_2, l_1 l_2).
    (p1, _), (p2, _) = modes
    l1, l2 = geometry[1]
    g1, g2 = grams[0].reshape(p1, l1, p1, l1), grams[1].reshape(p2, l2, p2, l2)
    d = p1 * p2 * l1 * l2
    sigma = np.einsum("iajb,kcld->ikacjlbd", g1, g2).reshape(d, d)
    parts = [exact(f) for f in factors]
    columns = []
    for f, part in enumerate(parts):
        for i in range(part.size):
            unit = np.array([mp.mpf(0)] * part.size, dtype=object)
            unit[i] = mp.mpf(1)
            columns.append(np.einsum(text, *parts[:f], unit.reshape(part.shape), *parts[f + 1:]).reshape(-1))
    j = np.array(columns).T
    assert j.shape[0] == d, (labels, j.shape, d)
    values, v = eig(j.T @ j)
    kept = [i for i, s in enumerate(values) if s > max(values) * ZERO]
    q = np.array([(j @ v[:, i]) / mp.sqrt(values[i]) for i in kept], dtype=object).T
    seen, _ = eig(q.T @ sigma @ q)
    seen = [s for s in seen if s > max(seen) * ZERO]
    whole, _ = eig(sigma)
    return {
        "name": name, "input": geometry[0], "kernel": geometry[1], "pool": geometry[2], "pool_stride": geometry[3],
        "einsum": text, "sizes": sizes, "factors": [[float(x) for x in np.asarray(f).flat] for f in factors],
        "tangent": len(kept), "df": len(seen), "rank": sum(1 for s in whole if s > max(whole) * ZERO),
        "trace": float(sum(1 / s for s in seen)), "trace_of_square": float(sum(1 / s**2 for s in seen)),
        "condition_of_jacobian": float(mp.sqrt(max(values) / min(values[i] for i in kept))),
        "condition": float(mp.sqrt(max(seen) / min(seen))),
    }


normal = np.random.default_rng(20201122).standard_normal
apart = [[8, 8], [3, 3], [3, 3], [3, 3]]
wide = [[9, 9], [2, 2], [4, 4], [4, 4]]
overlapping = [[6, 6], [3, 3], [2, 2], [1, 1]]
cases = []
for name, geometry, p in (("pools apart", apart, 4), ("wide pools", wide, 4), ("overlapping windows", overlapping, 9)):
    l = geometry[1][0]
    a = normal((p, 2))
    b = normal((2, l, l))
    cases.append(case(f"{name}, matrix", geometry, "pk,kab->pab", {"k": 2}, [a, b]))
    b[1] = b[0] + 1e-4 * b[1]
    cases.append(case(f"{name}, kernels 1e-4 from equal", geometry, "pk,kab->pab", {"k": 2}, [a, b]))
    x, y = normal((l, 2)), normal((l, 2))
    cases.append(case(f"{name}, cp", geometry, "pr,ar,br->pab", {"r": 2}, [a, x, y]))
    for f in (a, x, y):
        f[:, 1] = f[:, 0] + 1e-2 * f[:, 1]
    cases.append(case(f"{name}, cp components 1e-2 from parallel", geometry, "pr,ar,br->pab", {"r": 2}, [a, x, y]))
json.dump({"origin": f"make_risk.py, mpmath {mp.__version__}, 60 digits", "cases": cases}, sys.stdout)
