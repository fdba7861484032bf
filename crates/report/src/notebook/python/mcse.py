def root_mean(column):
    squares = pl.col(column) ** 2
    root = squares.mean().sqrt()
    error = pl.when(root == 0).then(0.0).otherwise(squares.std() / pl.len().sqrt() / (2 * root))
    return [root.alias(column), error.alias(column + "_mcse")]


counted = parts.filter(~pl.col("termination").str.starts_with("error"))
again = counted.group_by("cell").agg(*root_mean("err_pred"), *root_mean("err_frob"), replicates=pl.len())
both = summary.join(again, on="cell", how="left", suffix="_again")
assert (both["replicates"] == both["replicates_again"].fill_null(0)).all(), "replicates that count"
for column in ["err_pred", "err_pred_mcse", "err_frob", "err_frob_mcse"]:
    ours, theirs = both[column + "_again"].to_numpy(), both[column].to_numpy()
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-15, equal_nan=True), column
print(f"{len(both)} cells: errors and Monte Carlo standard errors agree with the summary")
