cells = summary.filter(pl.col("n") > pl.col("df") + 1)
figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
ends = []
for i, (_, own) in enumerate(cells.group_by("setting", maintain_order=True)):
    x = (own["df"] / (own["n"] - own["df"] - 1)).sqrt()
    ends += [x.min(), x.max()]
    points(axis, x, own["err_pred"] / SIGMA, own["err_pred_mcse"] / SIGMA, i, setting_title(own))
axis.plot([min(ends), max(ends)], [min(ends), max(ends)], color=LINE, label="exact risk")
axis.set(xlabel=r"$\sqrt{df/(n - df - 1)}$", ylabel="prediction error / σ", xscale="log", yscale="log")
axis.legend(fontsize="small")
plt.show()
