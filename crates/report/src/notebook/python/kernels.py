cells = summary.with_columns(
    K=pl.col("structure").str.extract(r"\bK=(\d+)").cast(pl.Float64),
    R=pl.col("structure").str.extract(r"\bR=(\d+)").cast(pl.Float64),
).drop_nulls("K")
one_rank = cells["R"].null_count() == 0 and cells["R"].n_unique() == 1
cells = cells.with_columns(x=pl.col("K") / pl.col("R") if one_rank else pl.col("K")).sort("x")
cells = cells.filter(design=cells["design"][0]).with_columns(group=pl.col("setting").str.extract(r"^([^\d]*)"))
groups = list(cells.group_by("group", maintain_order=True))
counts = {"naive_parameters": (5, "naive parameters"), "d_m": (6, "$d_M$"), "df": (3, "df (identifiable)")}
figure, axes = plt.subplots(len(groups), 2, figsize=(9, 3.6 * len(groups)), squeeze=False, layout="constrained")
for (left, right), (_, own) in zip(axes, groups):
    for i, ((n,), mine) in enumerate(own.group_by("n", maintain_order=True)):
        points(left, mine["x"], mine["err_pred"], mine["err_pred_mcse"], i, f"$n$ = {n}")
        curve(left, mine["x"], mine["risk_pred"], i)
    one = own.filter(n=own["n"].min())
    for column, (i, name) in counts.items():
        right.plot(one["x"], one[column], label=name, **style(i))
    # Settings of several families have names of their own before the number.
    family = "" if len(groups) == 1 else own["setting"][0].split(",")[0] + ": "
    for axis, title, label in [(left, "error", "prediction error"), (right, "parameters", "count")]:
        axis.set(title=family + title, xlabel="$K/R$" if one_rank else "$K$", ylabel=label, ylim=(0, None))
        if one_rank:
            axis.set_xscale("log")
            axis.minorticks_off()
        ticks = own["x"].unique().sort().to_list()
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axis.legend(fontsize="small")
plt.show()
