cells = summary.filter(pl.col("risk_pred") > 0).with_columns(ratio=pl.col("err_pred") / pl.col("risk_pred"))
parts_of_se = [pl.col("err_pred_mcse") / pl.col("risk_pred"), pl.col("ratio") * pl.col("risk_pred_se") / pl.col("risk_pred")]
cells = cells.with_columns(se=(parts_of_se[0] ** 2 + parts_of_se[1] ** 2).sqrt())
figure, axis = plt.subplots(figsize=(7, 1 + 0.17 * cells.height), layout="constrained")
place = np.arange(cells.height)[::-1]
axis.errorbar(cells["ratio"], place, xerr=1.96 * cells["se"], ls="none", ms=3, **style(0))
axis.axvline(1, color=LINE, ls="--")
labels = [f"{c['setting']}, {DESIGNS[c['design']]}, {c['solver']}, n = {c['n']}" for c in cells.iter_rows(named=True)]
axis.set_yticks(place, labels, fontsize="x-small")
axis.set(xlabel="prediction error / risk, ± 1.96 MCSE")
plt.show()
