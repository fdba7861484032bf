order = [pl.col(name).cast(pl.Enum(summary[name].unique(maintain_order=True))) for name in ["setting", "design"]]
cells = summary.with_columns(*order).sort("setting", "design", "n")
places = cells.select("setting", "design", "n").unique(maintain_order=True).with_row_index("place")
cells = cells.join(places, on=["setting", "design", "n"], maintain_order="left")
heights = {"height_ratios": [5, 1, 1, 1]}
figure, axes = plt.subplots(4, 1, figsize=(11, 7), sharex=True, gridspec_kw=heights, layout="constrained")
for i, ((solver,), own) in enumerate(cells.group_by("solver", maintain_order=True)):
    points(axes[0], own["place"], own["err_pred"], own["err_pred_mcse"], i, solver)
    axes[0].step(own["place"], own["risk_pred"], where="mid", color=COLOURS[i % len(COLOURS)], lw=1)
axes[0].set(ylabel="prediction error")
axes[0].legend(fontsize="small")
for axis, name in zip(axes[1:], ["setting", "design", "n"]):
    levels = places[name].to_physical() if name != "n" else np.log10(places["n"])
    axis.step(places["place"], levels, where="mid", color=LINE)
    axis.set(ylabel=name, yticks=[])
plt.show()
