groups = list(summary.group_by("setting", "design", "solver", maintain_order=True))
columns = min(len(groups), 2)
rows = -(-len(groups) // columns)
figure, axes = plt.subplots(rows, columns, figsize=(4.5 * columns, 3.2 * rows), squeeze=False, sharey=True, layout="constrained")
for axis in axes.flat[len(groups) :]:
    axis.set_axis_off()
for axis, ((setting, design, _), cells) in zip(axes.flat, groups):
    cells = cells.sort("n")
    for what in ["entries", "predictions", "region"]:
        axis.errorbar(cells["n"], cells[f"covered_{what}"], cells[f"covered_{what}_mcse"], fmt="o", ms=4, label=what)
    axis.axhline(@LEVEL@, color="#3c3c3c", label="level")
    axis.set(title=f"{setting}, {design}", xlabel="n", ylabel="coverage", xscale="log")
axes[0, 0].legend(fontsize="small")
plt.show()
