bounds = [name.removesuffix("_frob") for name in summary.columns if name.endswith("_bound_frob")]
values = [pl.col(f"{bound}_frob") for bound in bounds]
applying = pl.sum_horizontal([value.is_not_nan() for value in values])
# The designs of a setting to which the most bounds apply.
shown = summary.filter(
    applying == applying.max().over("setting"), pl.any_horizontal([value.is_finite() for value in values])
)
groups = list(shown.group_by("setting", maintain_order=True))
columns = max(1, min(len(groups), 2))
rows = max(1, -(-len(groups) // columns))
figure, axes = plt.subplots(rows, columns, figsize=(4.5 * columns, 3.4 * rows), squeeze=False, layout="constrained")
for axis in axes.flat[len(groups) :]:
    axis.set_axis_off()
for axis, (_, cells) in zip(axes.flat, groups):
    cells = cells.sort("sqrt_dm_over_n")
    x = cells["sqrt_dm_over_n"]
    points(axis, x, cells["err_frob"], cells["err_frob_mcse"], 0, "measured ± MCSE")
    axis.plot(x, cells["risk_frob"], color=COLOURS[0], label="risk")
    for i, bound in enumerate(bounds):
        name, colour = bound.replace("_", " "), COLOURS[(i + 1) % len(COLOURS)]
        value = cells[f"{bound}_frob"].to_numpy()
        value = np.where(np.isfinite(value), value, np.nan)
        condition = bound.removesuffix("_bound") + "_condition"
        if condition not in cells.columns:
            axis.plot(x, value, color=colour, label=f"{name} ({CONFIDENCE:.0%})")
            continue
        holds = cells[condition] == 1
        axis.plot(x, np.where(holds, value, np.nan), color=colour, label=name)
        axis.plot(x, np.where(holds, np.nan, value), "--", color=colour, label="the same where its condition fails")
    axis.set(title=setting_title(cells), xlabel=r"$\sqrt{d_M/n}$", ylabel="estimation error", yscale="log", xlim=(0, None))
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize="small")
plt.show()
