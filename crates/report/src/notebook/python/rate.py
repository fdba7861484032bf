designs = summary["design"].unique(maintain_order=True).to_list()
several = summary["solver"].n_unique() > 1
figure, axes = plt.subplots(2, len(designs), figsize=(4 * len(designs) + 1, 6.5), squeeze=False, layout="constrained")
for row, (norm, label) in enumerate([("pred", "prediction error"), ("frob", "estimation error")]):
    for axis, design in zip(axes[row], designs):
        for (setting, solver), cells in summary.filter(design=design).group_by("setting", "solver", maintain_order=True):
            cells = cells.sort("sqrt_dm_over_n")
            name = f"{setting}, {solver}" if several else setting
            x = cells["sqrt_dm_over_n"]
            points = axis.errorbar(x, cells[f"err_{norm}"], cells[f"err_{norm}_mcse"], fmt="o", ms=4, label=name)
            axis.plot(x, cells[f"risk_{norm}"], color=points[0].get_color())
        axis.set(title=design, xlabel=r"$\sqrt{d_M/n}$", ylabel=label)
axes[0, 0].legend(fontsize="small")
plt.show()
