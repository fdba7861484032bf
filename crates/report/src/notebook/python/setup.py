# Needs polars and matplotlib: pip install polars matplotlib
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

RUN = Path(@RUN@)  # the run directory, seen from this notebook's folder
SIGMA = @SIGMA@  # standard deviation of the noise
CONFIDENCE = @CONFIDENCE@  # probability with which the explicit bound holds

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#966e00", "#3c3c3c"])
plt.rcParams.update({"axes.grid": True, "grid.color": "#e1e1e1", "axes.spines.top": False, "axes.spines.right": False})
