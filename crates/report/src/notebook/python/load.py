manifest = json.loads((RUN / "manifest.json").read_text())
summary = pl.read_parquet(RUN / "summary.parquet")
parts = (
    pl.concat([pl.read_parquet(part) for part in sorted((RUN / "parts").glob("*.parquet"))])
    .unique(["cell", "replicate"], maintain_order=True)
    .filter(pl.col("cell").is_in(summary["cell"].to_list()), pl.col("replicate") < manifest["replicates"])
)
print(f"{manifest['name']}: {summary.height} cells, {parts.height} replicates")
summary.select("setting", "design", "solver", "n", "err_pred", "err_pred_mcse", "risk_pred", "err_frob", "risk_frob").head()
