errors = parts.filter(pl.col("termination").str.starts_with("error")).group_by("setting", "n", "termination").len()
if errors.height:
    print(errors)
failures = ["errors", "not_converged", "optimisation_failures"]
summary.select("setting", "design", "solver", "n", "replicates", *failures).filter(pl.sum_horizontal(failures) > 0)
