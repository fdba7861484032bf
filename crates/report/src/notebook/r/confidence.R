long <- do.call(rbind, lapply(c("entries", "predictions", "region"), function(what) {
  data.frame(summary_table[c("setting", "design", "n")], what = what, share = summary_table[[paste0("covered_", what)]],
             mcse = summary_table[[paste0("covered_", what, "_mcse")]])
}))
ggplot(long, aes(n, share, colour = what, shape = what)) + geom_hline(yintercept = @LEVEL@) +
  geom_pointrange(aes(ymin = share - mcse, ymax = share + mcse), size = 0.2, na.rm = TRUE) + scale_x_log10() +
  marks() + facet_wrap(~ setting + design) + labs(y = "coverage ± MCSE", colour = NULL, shape = NULL)
