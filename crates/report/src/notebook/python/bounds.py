shown = summary.filter(pl.col("explicit_bound_frob").is_not_nan(), pl.col("literature_bound_frob").is_finite())
groups = list(shown.group_by("setting", maintain_order=True))
columns = max(1, min(len(groups), 2))
rows = max(1, -(-len(groups) // columns))
figure, axes = plt.subplots(rows, columns, figsize=(4.5 * columns, 3.4 * rows), squeeze=False, layout="constrained")
for axis in axes.flat[len(groups) :]:
    axis.set_axis_off()
for axis, (_, cells) in zip(axes.flat, groups):
    cells = cells.sort("sqrt_dm_over_n")
    x = cells["sqrt_dm_over_n"]
    holds = cells["literature_condition"] == 1
    points(axis, x, cells["err_frob"], cells["err_frob_mcse"], 0, "measured ± MCSE")
    axis.plot(x, cells["risk_frob"], color=COLOURS[0], label="risk")
    explicit = cells["explicit_bound_frob"].to_numpy()
    axis.plot(x, np.where(np.isfinite(explicit), explicit, np.nan), color=COLOURS[2], label=f"explicit bound ({CONFIDENCE:.0%})")
    literature = cells["literature_bound_frob"].to_numpy()
    axis.plot(x, np.where(holds, literature, np.nan), color=COLOURS[1], label="literature bound")
    axis.plot(x, np.where(holds, np.nan, literature), "--", color=COLOURS[1], label="the same where its condition fails")
    axis.set(title=setting_title(cells), xlabel=r"$\sqrt{d_M/n}$", ylabel="estimation error", yscale="log", xlim=(0, None))
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize="small")
plt.show()
