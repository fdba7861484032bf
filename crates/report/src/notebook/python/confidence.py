groups = list(summary.group_by("setting", "design", "solver", maintain_order=True))
columns = min(len(groups), 2)
rows = -(-len(groups) // columns)
figure, axes = plt.subplots(rows, columns, figsize=(4.5 * columns, 3.2 * rows), squeeze=False, sharey=True, layout="constrained")
for axis in axes.flat[len(groups) :]:
    axis.set_axis_off()
for axis, ((_, design, _), cells) in zip(axes.flat, groups):
    cells = cells.sort("n")
    for i, (what, label) in enumerate({"entries": "entries of $W^*$", "predictions": "predictions", "region": "region"}.items()):
        points(axis, cells["n"], cells[f"covered_{what}"], cells[f"covered_{what}_mcse"], i, label)
    axis.axhline(@LEVEL@, color=LINE, label="level")
    sizes_below(axis, cells["n"])
    several = summary["design"].n_unique() > 1
    axis.set(title=setting_title(cells) + (f"\n{DESIGNS[design]}" if several else ""), ylabel="coverage")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize="small")
plt.show()
