# Needs polars and matplotlib: pip install polars matplotlib
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

RUN = Path(@RUN@)  # the run directory, seen from this notebook's folder
SIGMA = @SIGMA@  # standard deviation of the noise
CONFIDENCE = @CONFIDENCE@  # probability with which the explicit bound holds

DESIGNS = @DESIGNS@  # titles by name
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#966e00", "#3c3c3c"]
MARKS = ["o", "s", "^", "D", "v", "P", "X"]
LINE = "#3c3c3c"

plt.rcParams.update({"axes.grid": True, "grid.color": "#e1e1e1", "axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"lines.markersize": 4, "axes.titlesize": "medium"})


def style(i):
    """Colour and mark of the i-th series."""
    return {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}


def points(axis, x, y, error, i, label=None):
    """Measured means ± MCSE of the i-th series."""
    axis.errorbar(x, y, error, ls="none", label=label, **style(i))


def curve(axis, x, y, i):
    """Theory of the i-th series."""
    axis.plot(x, y, color=COLOURS[i % len(COLOURS)], lw=1)


def setting_title(cells):
    """A setting and its structure, once where they say the same."""
    setting, structure = cells["setting"][0], cells["structure"][0]
    return structure if structure.split("(")[0] == setting else f"{setting}: {structure}"


def sizes_below(axis, n):
    """A logarithmic axis with its ticks at the sample sizes."""
    sizes = n.unique().sort().to_list()
    axis.set(xlabel="$n$", xscale="log")
    axis.minorticks_off()
    axis.set_xticks(sizes, sizes, fontsize="small")
