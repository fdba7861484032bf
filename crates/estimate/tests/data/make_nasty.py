"""Writes nasty.json: least-squares problems that are hard for double precision, with solutions computed in 60 decimal
digits (mpmath) from the very doubles that the problems are made of.

    pip install mpmath==1.4.1 numpy==2.4.6 && python make_nasty.py > nasty.json

Linear problems are solved by their normal equations, which 60 digits bear. For networks (a few small factors) a fit in
double precision from the truth is refined by Newton's method in 60 digits, without the directions of the gauge, until
the gradient is below 1e-40. Standard errors are those of the tangent space, sqrt(RSS / (n - df) diag(J (J'Z'ZJ)^+ J')).
"""

import json
import sys

import mpmath as mp
import numpy as np

mp.mp.dps = 60
GAUGE = mp.mpf(10) ** -25


def exact(a):
    return np.array([mp.mpf(float(v)) for v in np.asarray(a).flat], dtype=object).reshape(np.shape(a))


def doubles(a):
    return [float(v) for v in np.asarray(a).flat]


def solve(a, b):
    b = np.atleast_2d(b.T).T
    columns = [mp.lu_solve(mp.matrix(a.tolist()), mp.matrix(b[:, j].tolist())) for j in range(b.shape[1])]
    return np.array([[c[i] for c in columns] for i in range(a.shape[0])], dtype=object)


def norm(a):
    return mp.sqrt(sum(v * v for v in a.flat))


def condition(a):
    s = [mp.sqrt(abs(v)) for v in mp.eigsy(mp.matrix((a.T @ a).tolist()), eigvals_only=True)]
    s = [v for v in s if v > max(s) * GAUGE]
    return max(s) / min(s)


def linear(name, z, y, penalty=0.0):
    z, y = np.asarray(z, dtype=float), np.asarray(y, dtype=float).reshape(-1, 1)
    a, b = exact(z), exact(y)
    n, d = z.shape
    moment = a.T @ a + mp.mpf(penalty) * np.array(mp.eye(d).tolist(), dtype=object)
    w = solve(moment, a.T @ b)
    r = b - a @ w
    inverse = solve(moment, exact(np.eye(d)))
    cov = inverse @ (a.T @ a) @ inverse
    df = mp.mpf(d) if penalty == 0 else sum((inverse @ (a.T @ a))[i, i] for i in range(d))
    rss = sum(v * v for v in r.flat)
    variance = rss / (n - df)
    augmented = np.vstack([a, mp.sqrt(mp.mpf(penalty)) * exact(np.eye(d))]) if penalty else a
    return {
        "name": name, "shape": [n, d], "z": doubles(z), "y": doubles(y), "penalty": penalty,
        "w": doubles(w), "objective": float(rss), "df": float(df), "condition": float(condition(augmented)),
        "se": [float(mp.sqrt(variance * cov[i, i])) for i in range(d)],
    }


class Network:
    def __init__(self, text, sizes):
        self.text, self.sizes = text, sizes
        left, self.output = text.split("->")
        self.inputs = left.split(",")
        self.shapes = [tuple(sizes[c] for c in labels) for labels in self.inputs]
        self.lengths = [int(np.prod(s)) for s in self.shapes]

    def split(self, flat):
        ends = np.cumsum(self.lengths)[:-1]
        return [p.reshape(s) for p, s in zip(np.split(flat, ends), self.shapes)]

    def w(self, factors):
        return np.einsum(self.text, *factors).reshape(-1)

    def units(self, f, one):
        for i in range(self.lengths[f]):
            unit = np.zeros(self.lengths[f], dtype=object if one is not float else float)
            unit[:] = one(0)
            unit[i] = one(1)
            yield unit.reshape(self.shapes[f])

    def jacobian(self, factors, one):
        columns = []
        for f in range(len(factors)):
            for unit in self.units(f, one):
                columns.append(self.w(factors[:f] + [unit] + factors[f + 1:]))
        return np.array(columns).T

    def curvature(self, factors, dual):
        p = sum(self.lengths)
        h = np.array([[mp.mpf(0)] * p for _ in range(p)], dtype=object)
        starts = np.cumsum([0] + self.lengths)
        for f in range(len(factors)):
            for g in range(f):
                for i, u in enumerate(self.units(f, mp.mpf)):
                    # Linear in factor g: one contraction with the dual gives the whole row.
                    others = [x for k, x in enumerate(factors) if k not in (f, g)]
                    labels = [x for k, x in enumerate(self.inputs) if k not in (f, g)]
                    text = ",".join([self.output, self.inputs[f]] + labels) + "->" + self.inputs[g]
                    shaped = dual.reshape([self.sizes[c] for c in self.output])
                    row = np.einsum(text, shaped, u, *others).reshape(-1)
                    h[starts[f] + i, starts[g]:starts[g + 1]] = row
                    h[starts[g]:starts[g + 1], starts[f] + i] = row
        return h


def network(name, text, sizes, z, y, truth):
    net = Network(text, sizes)
    z, y = np.asarray(z, dtype=float), np.asarray(y, dtype=float)
    # Not from the truth itself, which is a saddle where its rank is lower than that of the network.
    nudge = np.random.default_rng(1).standard_normal
    truth = [np.asarray(t, dtype=float) for t in truth]
    theta = np.concatenate([(t * (1 + 1e-3 * nudge(t.shape)) + 1e-3 * (t == 0) * nudge(t.shape)).reshape(-1) for t in truth])
    damping = 1e-3
    for _ in range(2000):
        factors = net.split(theta)
        a, r = z @ net.jacobian(factors, float), y - z @ net.w(factors)
        m = a.T @ a
        step = np.linalg.solve(m + damping * np.diag(np.diag(m)), a.T @ r)
        trial = theta + step
        if np.sum((y - z @ net.w(net.split(trial))) ** 2) < np.sum(r**2):
            theta, damping = trial, max(damping / 5, 1e-15)
        else:
            damping *= 5
            if damping > 1e8:
                break
    theta, a_z, b = exact(theta), exact(z), exact(y)
    for _ in range(40):
        factors = net.split(theta)
        j = net.jacobian(factors, mp.mpf)
        a = a_z @ j
        r = b - a_z @ net.w(factors)
        gradient = a.T @ r
        hessian = a.T @ a - net.curvature(factors, a_z.T @ r)
        # A basis in which Z J is orthonormal: without the gauge.
        normal, vectors = mp.eigsy(mp.matrix((a.T @ a).tolist()))
        v = np.array(vectors.tolist(), dtype=object).reshape(len(theta), -1)
        kept = [i for i in range(len(theta)) if normal[i] > max(normal) * GAUGE]
        back = np.array([v[:, i] / mp.sqrt(normal[i]) for i in kept], dtype=object).T
        information = back.T @ hessian @ back
        size = norm(back.T @ gradient) / norm(b)
        if size < mp.mpf(10) ** -45:
            break
        theta = theta + (back @ solve(information, back.T @ gradient)).reshape(-1)
    assert size < mp.mpf(10) ** -40, (name, mp.nstr(size, 5))
    information = list(mp.eigsy(mp.matrix(information.tolist()), eigvals_only=True))
    assert min(information) > 0, (name, "saddle", mp.nstr(min(information), 5))
    rss = sum(x * x for x in r.flat)
    df, n = len(kept), len(y)
    spread = j @ back
    variance = rss / (n - df)
    return {
        "name": name, "einsum": text, "sizes": sizes, "shape": list(z.shape), "z": doubles(z), "y": doubles(y),
        "truth": [doubles(t) for t in truth], "w": doubles(net.w(factors)), "objective": float(rss), "df": df,
        "information": [float(min(information)), float(max(information))],
        "se": [float(mp.sqrt(variance * sum(x * x for x in row))) for row in spread],
    }


rng = np.random.default_rng(20201122)
normal = rng.standard_normal


def hilbert(n, d):
    return np.array([[1.0 / (i + j + 1) for j in range(d)] for i in range(n)])


cases = []
z = hilbert(10, 6)
cases.append(linear("hilbert 10x6", z, z.sum(1) + 1e-3 * normal(10)))
z = hilbert(14, 10)
cases.append(linear("hilbert 14x10, small residual", z, z.sum(1) + 1e-9 * normal(14)))
t = np.linspace(0, 1, 25)
z = np.vander(t, 9, increasing=True)
cases.append(linear("vandermonde 25x9", z, np.sin(6 * t) + 0.01 * normal(25)))
x = np.arange(21.0)
z = np.vander(x, 6, increasing=True)
cases.append(linear("wampler polynomial (NIST Wampler1)", z, z.sum(1)))
cases.append(linear("wampler polynomial with noise (NIST Wampler4-like)", z, z.sum(1) + 1e5 * normal(21)))
for delta in (1e-5, 1e-9):
    z = np.vstack([np.ones((1, 4)), delta * np.eye(4), normal((1, 4)) * delta])
    cases.append(linear(f"lauchli {delta:g}", z, np.concatenate([[4.0], delta * np.ones(4), [0.0]]) + delta * 0.1 * normal(6)))
z = normal((20, 4))
z[:, 3] = z[:, 0] + 1e-8 * normal(20)
cases.append(linear("two columns 1e-8 apart", z, z[:, 0] - z[:, 1] + 1e-2 * normal(20)))
cases.append(linear("two columns 1e-8 apart, tiny noise", z, z @ np.array([1, 1, 1, 1e3]) + 1e-12 * normal(20)))
z = normal((20, 5)) * np.array([1e-8, 1e-4, 1.0, 1e4, 1e8])
cases.append(linear("columns graded 1e-8 to 1e8", z, z @ np.array([1e8, 1e4, 1, 1e-4, 1e-8]) + 0.1 * normal(20)))
z = normal((20, 4)) + 1e6
cases.append(linear("features offset by 1e6", z, 1e6 + z @ np.array([1.0, -1, 2, 0.5]) + normal(20)))
z = normal((9, 8))
cases.append(linear("one observation more than features", z, normal(9)))
z = normal((30, 6))
cases.append(linear("well-conditioned", z, z.sum(1) + normal(30)))
z = hilbert(12, 8)
cases.append(linear("ridge 1e-6 on hilbert 12x8", z, z.sum(1) + 1e-3 * normal(12), 1e-6))
z = normal((20, 4))
z[:, 3] = z[:, 0] + 1e-8 * normal(20)
cases.append(linear("ridge 1 on two columns 1e-8 apart", z, z[:, 0] + 0.1 * normal(20), 1.0))

nets = []


def problem(name, text, sizes, z, truth, sigma, offset=0.0):
    net = Network(text, sizes)
    w = net.w([np.asarray(t, dtype=float) for t in truth])
    nets.append(network(name, text, sizes, z, z @ w + sigma * normal(len(z)) + offset, truth))


def short(shape):
    """Normal numbers of few digits, to keep the file small."""
    return np.round(normal(shape) * 256) / 256


def draw(text, sizes):
    return [normal(s) for s in Network(text, sizes).shapes]


matrix, two = "pk,kl->pl", {"p": 3, "l": 4, "k": 2}
cp, three = "ar,br,cr->abc", {"a": 3, "b": 3, "c": 3, "r": 2}
tucker, core = "pr,rxy,ax,by->pab", {"p": 2, "r": 2, "x": 2, "y": 2, "a": 3, "b": 3}
train, bonds = "pr,ars,bs->pab", {"p": 2, "r": 2, "s": 2, "a": 3, "b": 3}
problem("matrix, well-conditioned", matrix, two, short((32, 12)), draw(matrix, two), 0.3)
problem("matrix, n one above df", matrix, two, short((11, 12)), draw(matrix, two), 0.01)
problem("matrix, tiny noise", matrix, two, short((32, 12)), draw(matrix, two), 1e-12)
problem("matrix, vandermonde rows", matrix, two, np.vander(np.linspace(-1, 1, 33), 12, increasing=True), draw(matrix, two), 1e-5)
z = short((32, 12))
z[:, 5] = z[:, 0] + 1e-7 * normal(32)
problem("matrix, two features 1e-7 apart", matrix, two, z, draw(matrix, two), 1e-6)
truth = [np.outer(normal(3), [1.0, 0.0]), np.outer([1.0, 0.0], normal(4))]
problem("matrix, truth of rank 1 fitted with rank 2", matrix, two, short((32, 12)), truth, 0.3)
problem("matrix, features and responses offset by 1e4", matrix, two, short((32, 12)) + 1e4, draw(matrix, two), 0.3, 1e4)
scale = np.outer([1e-4, 1, 1e4], np.ones(4)).reshape(-1)
problem("matrix, rows of W graded 1e-4 to 1e4", matrix, two, short((32, 12)) * scale,
        [normal((3, 2)) / np.array([[1e-4], [1], [1e4]]), normal((2, 4))], 0.1)
# Windows of 5 inputs with kernel 3 at 3 positions: 9 features of rank 5; a matrix of rank 1 is identified all the same.
one = {"p": 3, "l": 3, "k": 1}
x = short((32, 5))
z = np.stack([x[:, i:i + 3] for i in range(3)], 1).reshape(32, 9)
problem("matrix, overlapping windows", matrix, one, z, draw(matrix, one), 0.1)
problem("cp, well-conditioned", cp, three, short((32, 27)), draw(cp, three), 0.3)
for angle in (1e-1, 1e-2):
    base, other = draw(cp, three), draw(cp, three)
    near = [np.column_stack([b[:, 0], b[:, 0] + angle * o[:, 1]]) for b, o in zip(base, other)]
    near[2][:, 1] *= -1
    problem(f"cp, components {angle:g} from parallel and of opposite signs", cp, three, short((32, 27)), near, 1e-6 * angle)
problem("tucker", tucker, core, short((32, 18)), draw(tucker, core), 0.3)
problem("train, n one above df", train, bonds, short((15, 18)), draw(train, bonds), 1e-3)
json.dump({"origin": f"make_nasty.py, mpmath {mp.__version__}, 60 digits", "linear": cases, "networks": nets}, sys.stdout)
