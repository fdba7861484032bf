cells = summary.filter(pl.col("n") > pl.col("df") + 1)
figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
ends = []
for (setting,), own in cells.group_by("setting", maintain_order=True):
    x = (own["df"] / (own["n"] - own["df"] - 1)).sqrt()
    ends += [x.min(), x.max()]
    axis.errorbar(x, own["err_pred"] / SIGMA, own["err_pred_mcse"] / SIGMA, fmt="o", ms=4, label=setting)
axis.plot([min(ends), max(ends)], [min(ends), max(ends)], color="#3c3c3c", label="exact risk")
axis.set(xlabel=r"$\sqrt{df/(n - df - 1)}$", ylabel="prediction error / σ", xscale="log", yscale="log")
axis.legend(fontsize="small")
plt.show()
