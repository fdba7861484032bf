"""Writes intervals.json: intervals and information criteria of ordinary least squares by statsmodels, and quantiles of F by SciPy.

    pip install statsmodels==0.15.0 scipy==1.17.1 && python make_intervals.py > intervals.json
"""

import json
import sys

import numpy as np
import statsmodels.api as sm
from scipy import stats

rng = np.random.default_rng(1)
n, d, level = 20, 3, 0.9
z = rng.normal(size=(n, d)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -0.3], [0.0, 0.0, 2.0]])
y = z @ np.array([1.0, -2.0, 0.5]) + 0.7 * rng.normal(size=n)
fresh = rng.normal(size=(4, d))
fit = sm.OLS(y, z).fit()
frame = fit.get_prediction(fresh).summary_frame(alpha=1 - level)
# The region: coefficients at which the F test of all of them has this p-value lie on its edge at level 1 - p.
at = fit.params + np.array([0.1, 0.05, -0.1])
test = fit.f_test((np.eye(d), at))
json.dump(
    {
        "level": level,
        "z": z.tolist(),
        "y": y.tolist(),
        "fresh": fresh.tolist(),
        "params": fit.params.tolist(),
        "conf_int": fit.conf_int(alpha=1 - level).tolist(),
        "mean_ci": frame[["mean_ci_lower", "mean_ci_upper"]].to_numpy().tolist(),
        "obs_ci": frame[["obs_ci_lower", "obs_ci_upper"]].to_numpy().tolist(),
        "scale": float(fit.scale),
        # 2 log L has the constant n (log 2 pi + 1) besides.
        "bic": float(fit.bic - n * (np.log(2 * np.pi) + 1)),
        "aic": float(fit.aic - n * (np.log(2 * np.pi) + 1)),
        "at": at.tolist(),
        "p_value": float(test.pvalue),
        "quantiles": [
            [d1, d2, p, float(stats.f.ppf(p, d1, d2))]
            for d1, d2, p in [(3, 17, 0.95), (1, 17, 0.95), (7.5, 30, 0.9), (1, 1e6, 0.95), (40, 2e5, 0.95), (2, 1e9, 0.99), (500, 1.5e5, 0.99)]
        ],
    },
    sys.stdout,
    indent=1,
)
print()
