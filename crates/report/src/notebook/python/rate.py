designs = summary["design"].unique(maintain_order=True).to_list()
several = summary["solver"].n_unique() > 1
figure, axes = plt.subplots(2, len(designs), figsize=(4 * len(designs) + 1, 6.5), squeeze=False, layout="constrained")
for row, (norm, label) in enumerate([("pred", "prediction error"), ("frob", "estimation error")]):
    for axis, design in zip(axes[row], designs):
        groups = summary.filter(design=design).group_by("setting", "solver", maintain_order=True)
        for i, ((_, solver), cells) in enumerate(groups):
            cells = cells.sort("sqrt_dm_over_n")
            name = f"{setting_title(cells)}, {solver}" if several else setting_title(cells)
            x = cells["sqrt_dm_over_n"]
            points(axis, x, cells[f"err_{norm}"], cells[f"err_{norm}_mcse"], i, name)
            curve(axis, x, cells[f"risk_{norm}"], i)
        axis.set(title=DESIGNS[design], xlabel=r"$\sqrt{d_M/n}$", ylabel=label, xlim=(0, None), ylim=(0, None))
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize="small")
plt.show()
