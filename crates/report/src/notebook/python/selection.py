groups = list(summary.filter(pl.col("chosen_right").is_not_nan()).group_by("setting", "design", maintain_order=True))
figure, axes = plt.subplots(1, len(groups), figsize=(4.5 * len(groups), 3.6), squeeze=False, sharey=True, layout="constrained")
for axis, ((setting, design), own) in zip(axes[0], groups):
    for (criterion,), cells in own.group_by("solver", maintain_order=True):
        cells = cells.sort("n")
        axis.errorbar(cells["n"], cells["chosen_right"], cells["chosen_right_mcse"], fmt="o-", ms=4, label=criterion)
    axis.set(title=f"{setting}, {design}", xlabel="n", ylabel="share that chose the truth", xscale="log")
axes[0, 0].legend(fontsize="small")
plt.show()
