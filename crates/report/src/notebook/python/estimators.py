first = summary.filter(design=summary["design"][0]).with_columns(missed=pl.col("optimisation_failures") / pl.col("replicates"))
groups = list(first.group_by("setting", maintain_order=True))
figure, axes = plt.subplots(len(groups), 3, figsize=(13, 3.6 * len(groups)), squeeze=False, layout="constrained")
for row, (_, own) in zip(axes, groups):
    for i, ((solver,), cells) in enumerate(own.group_by("solver", maintain_order=True)):
        cells = cells.sort("n")
        points(row[0], cells["n"], cells["err_pred"], cells["err_pred_mcse"], i, solver)
        curve(row[0], cells["n"], cells["risk_pred"], i)
        row[1].plot(cells["n"], cells["missed"], ls="none", **style(i))
        row[2].plot(cells["n"], 1e3 * cells["seconds"], ls="none", **style(i))
    for axis, label in zip(row, ["prediction error", "share that missed the optimum", "median time of a replicate, ms"]):
        sizes_below(axis, own["n"])
        axis.set(title=setting_title(own), ylabel=label)
    row[0].set_yscale("log")
    row[1].set_ylim(0, None)
    row[2].set_yscale("log")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize="small")
plt.show()
