errors <- parts[startsWith(parts$termination, "error"), ]
if (nrow(errors) > 0) print(as.data.frame(table(errors$setting, errors$termination)))
failures <- c("errors", "not_converged", "optimisation_failures")
failed <- rowSums(summary_table[failures]) > 0
print(summary_table[failed, c("setting", "design", "solver", "n", "replicates", failures)], row.names = FALSE)
