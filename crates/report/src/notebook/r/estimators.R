first <- subset(summary_table, design == design[1])
long <- do.call(rbind, list(
  data.frame(first[c("setting", "solver", "n")], what = "prediction error", value = first$err_pred),
  data.frame(first[c("setting", "solver", "n")], what = "share that missed the optimum", value = first$optimisation_failures / first$replicates),
  data.frame(first[c("setting", "solver", "n")], what = "median time of a replicate, ms", value = 1e3 * first$seconds)
))
ggplot(long, aes(n, value, colour = solver, shape = solver)) + geom_point() + geom_line() + scale_x_log10() + marks() +
  facet_wrap(~ setting + what, scales = "free_y", ncol = 3) + labs(y = NULL)
