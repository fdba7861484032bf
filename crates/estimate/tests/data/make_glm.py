"""Reference fits of labels: writes glm.json (statsmodels on real data, scipy on low-rank structures).

    python -m venv V && V/bin/pip install statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 && V/bin/python make_glm.py

anes96 (American National Election Study of 1996, public domain, as statsmodels ships it): the vote (0 Clinton, 1 Dole)
for Logit, the party identification (0 to 6) for MNLogit. The matrices of the low-rank cases are drawn here; their
deviance is minimised over the factors by BFGS from the truth and 30 random points, the best then polished by Newton's
method with the pseudo-inverse of the Hessian.
"""

import json
import pathlib

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy.optimize import minimize


def real(name, model, y, x):
    fit = model(y, x).fit(method="newton", maxiter=200, tol=1e-15, disp=0)
    for _ in range(3):  # Newton's last steps, beyond the stopping rule
        flat = np.asarray(fit.params).T.ravel()
        step = np.linalg.solve(fit.model.hessian(flat), fit.model.score(flat))
        params = flat - step
        fit = model(y, x).fit(start_params=params, method="newton", maxiter=1, tol=0, disp=0)
    params, se = np.asarray(fit.params), np.asarray(fit.bse)
    shape = (x.shape[1], -1)
    return {
        "name": name,
        "y": [int(v) for v in y],
        "coefficients": params.reshape(shape).ravel().tolist(),
        "se": se.reshape(shape).ravel().tolist(),
        "deviance": float(-2 * fit.llf),
        "null_deviance": float(-2 * fit.llnull),
        "aic": float(fit.aic),
        "bic": float(fit.bic),
    }


def low_rank(name, einsum, shapes, x, classes, rng):
    """Labels drawn from factors of `shapes`; the minimum of the deviance over all factors."""
    sizes = [int(np.prod(s)) for s in shapes]
    cuts = np.cumsum(sizes)[:-1]

    def split(theta):
        return [t.reshape(s) for t, s in zip(np.split(theta, cuts), shapes)]

    def predictors(theta):
        w = np.einsum(einsum, *split(theta))
        return x.reshape(len(x), -1) @ w.reshape(x[0].size, -1)

    def probabilities(eta):
        full = np.hstack([np.zeros((len(eta), 1)), eta])
        p = np.exp(full - full.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    truth = rng.standard_normal(sum(sizes))
    truth *= (2.0 / np.sqrt(np.mean(predictors(truth) ** 2))) ** (1 / len(shapes))
    p = probabilities(predictors(truth))
    y = np.array([rng.choice(classes, p=row) for row in p])
    one_hot = np.eye(classes)[y]
    inputs, output = einsum.split("->")
    inputs = inputs.split(",")

    def deviance(theta):
        eta = predictors(theta)
        full = np.hstack([np.zeros((len(eta), 1)), eta])
        return 2 * np.sum(np.logaddexp.reduce(full, axis=1) - np.sum(one_hot * full, axis=1))

    def gradient(theta):
        residual = (probabilities(predictors(theta)) - one_hot)[:, 1:]
        g = 2 * (x.reshape(len(x), -1).T @ residual)
        factors = split(theta)
        w_shape = np.einsum(einsum, *factors).shape
        parts = []
        for i, own in enumerate(inputs):
            others = [f for j, f in enumerate(factors) if j != i]
            labels = [s for j, s in enumerate(inputs) if j != i]
            parts.append(np.einsum(",".join(labels + [output]) + "->" + own, *others, g.reshape(w_shape)).ravel())
        return np.concatenate(parts)

    starts = [truth] + [rng.standard_normal(len(truth)) for _ in range(30)]
    found = [minimize(deviance, s, jac=gradient, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000}) for s in starts]
    best = min(found, key=lambda r: r.fun)
    theta = best.x
    for _ in range(6):
        h, eye = 1e-5, np.eye(len(theta))
        hessian = np.array([(gradient(theta + h * e) - gradient(theta - h * e)) / (2 * h) for e in eye])
        hessian = (hessian + hessian.T) / 2
        theta = theta - np.linalg.pinv(hessian, rcond=1e-7) @ gradient(theta)
    assert deviance(theta) <= best.fun + 1e-9 and np.abs(gradient(theta)).max() < 1e-9
    return {
        "name": name,
        "einsum": einsum,
        "x": x.reshape(len(x), -1).tolist(),
        "shape": list(x.shape[1:]),
        "classes": classes,
        "y": y.tolist(),
        "coefficients": np.einsum(einsum, *split(theta)).ravel().tolist(),
        "deviance": float(deviance(theta)),
        "starts_at_best": int(sum(r.fun < best.fun + 1e-6 for r in found)),
    }


def main():
    data = sm.datasets.anes96.load_pandas().data
    x = np.column_stack([np.ones(len(data)), data[["logpopul", "selfLR", "age", "educ", "income"]].to_numpy()])
    rng = np.random.default_rng(20201122)
    draw = lambda n, *shape: np.round(rng.standard_normal((n, *shape)), 3)
    cases = [
        low_rank("matrix rank 1", "ar,br->ab", [(4, 1), (3, 1)], draw(150, 4, 3), 2, rng),
        low_rank("matrix rank 2", "ar,br->ab", [(5, 2), (4, 2)], draw(250, 5, 4), 2, rng),
        low_rank("CP rank 2, 4 classes", "ar,br,mr->abm", [(4, 2), (3, 2), (3, 2)], draw(200, 4, 3), 4, rng),
    ]
    out = {
        "origin": "make_glm.py",
        "versions": {"statsmodels": statsmodels.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
        "anes96": {
            "x": x.round(10).tolist(),
            "cases": [
                real("logit", sm.Logit, data["vote"].to_numpy().astype(int), x.round(10)),
                real("mnlogit", sm.MNLogit, data["PID"].to_numpy().astype(int), x.round(10)),
            ],
        },
        "low_rank": cases,
    }
    path = pathlib.Path(__file__).with_name("glm.json")
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path.stat().st_size, [(c["name"], c["starts_at_best"]) for c in cases])


main()
