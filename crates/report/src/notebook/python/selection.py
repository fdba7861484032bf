groups = list(summary.filter(pl.col("chosen_right").is_not_nan()).group_by("setting", "design", maintain_order=True))
figure, axes = plt.subplots(1, len(groups), figsize=(4.5 * len(groups), 3.6), squeeze=False, sharey=True, layout="constrained")
several = summary["design"].n_unique() > 1
for axis, ((_, design), own) in zip(axes[0], groups):
    for i, ((criterion,), cells) in enumerate(own.group_by("solver", maintain_order=True)):
        cells = cells.sort("n")
        points(axis, cells["n"], cells["chosen_right"], cells["chosen_right_mcse"], i, criterion)
        curve(axis, cells["n"], cells["chosen_right"], i)
    sizes_below(axis, own["n"])
    title = setting_title(own) + (f"\n{DESIGNS[design]}" if several else "")
    axis.set(title=title, ylabel="share that chose the truth", ylim=(0, None))
axes[0, 0].legend(fontsize="small")
plt.show()
