cells = summary.with_columns(
    K=pl.col("structure").str.extract(r"\bK=(\d+)").cast(pl.Float64),
    R=pl.col("structure").str.extract(r"\bR=(\d+)").cast(pl.Float64),
).drop_nulls("K")
one_rank = cells["R"].null_count() == 0 and cells["R"].n_unique() == 1
cells = cells.with_columns(x=pl.col("K") / pl.col("R") if one_rank else pl.col("K")).sort("x")
cells = cells.filter(design=cells["design"][0]).with_columns(group=pl.col("setting").str.extract(r"^([^\d]*)"))
groups = list(cells.group_by("group", maintain_order=True))
figure, axes = plt.subplots(len(groups), 2, figsize=(9, 3.6 * len(groups)), squeeze=False, layout="constrained")
for (left, right), ((group,), own) in zip(axes, groups):
    for (n,), mine in own.group_by("n", maintain_order=True):
        points = left.errorbar(mine["x"], mine["err_pred"], mine["err_pred_mcse"], fmt="o", ms=4, label=f"n = {n}")
        left.plot(mine["x"], mine["risk_pred"], color=points[0].get_color())
    one = own.filter(n=own["n"].min())
    for column in ["naive_parameters", "d_m", "df"]:
        right.plot(one["x"], one[column], "o-", ms=4, label=column)
    for axis, label in [(left, "prediction error"), (right, "count")]:
        axis.set(title=group.rstrip(" -=_"), xlabel="K / R" if one_rank else "K", ylabel=label, ylim=(0, None))
        axis.legend(fontsize="small")
plt.show()
