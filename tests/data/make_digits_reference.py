"""Writes digits-tensorly.json: the residual sums of squares that TensorLy's CPRegressor reaches on the
digits (image / 16 against label, no penalty), best of five random states.

    pip install tensorly==0.10.0 numpy && python make_digits_reference.py > digits-tensorly.json
"""

import json
import sys

import numpy as np
import tensorly
from tensorly.regression import CPRegressor

data = np.loadtxt("../../crates/data/data/optdigits.csv.gz", delimiter=",")
x, y = data[:, :64].reshape(-1, 8, 8) / 16, data[:, 64]
best = {"program": f"TensorLy {tensorly.__version__}"}
for rank in (1, 2, 3):
    objectives = []
    for state in range(5):
        fit = CPRegressor(weight_rank=rank, tol=1e-12, reg_W=1e-12, n_iter_max=3000, random_state=state, verbose=0)
        fit.fit(x, y)
        objectives.append(float(np.sum((y - fit.predict(x)) ** 2)))
    best[str(rank)] = min(objectives)
    best[f"{rank} all"] = objectives
json.dump(best, sys.stdout)
