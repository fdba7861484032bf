first = summary.filter(design=summary["design"][0]).with_columns(missed=pl.col("optimisation_failures") / pl.col("replicates"))
groups = list(first.group_by("setting", maintain_order=True))
figure, axes = plt.subplots(len(groups), 3, figsize=(13, 3.6 * len(groups)), squeeze=False, layout="constrained")
for row, ((setting,), own) in zip(axes, groups):
    for (solver,), cells in own.group_by("solver", maintain_order=True):
        cells = cells.sort("n")
        points = row[0].errorbar(cells["n"], cells["err_pred"], cells["err_pred_mcse"], fmt="o", ms=4, label=solver)
        row[0].plot(cells["n"], cells["risk_pred"], color=points[0].get_color(), lw=1)
        row[1].plot(cells["n"], cells["missed"], "o", ms=4)
        row[2].plot(cells["n"], cells["seconds"], "o", ms=4)
    for axis, label in zip(row, ["prediction error", "share that missed the optimum", "median seconds"]):
        axis.set(title=setting, xlabel="n", ylabel=label, xscale="log")
        sizes = own["n"].unique().sort().to_list()
        axis.minorticks_off()
        axis.set_xticks(sizes, sizes, fontsize="small")
    row[0].set_yscale("log")
    row[2].set_yscale("log")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize="small")
plt.show()
