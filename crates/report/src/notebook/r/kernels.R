number_of <- function(key) {
  found <- regmatches(summary_table$structure, regexec(paste0("\\b", key, "=(\\d+)"), summary_table$structure, perl = TRUE))
  vapply(found, function(m) if (length(m) == 2) as.numeric(m[2]) else NA_real_, 0)
}
cells <- transform(summary_table, K = number_of("K"), R = number_of("R"))
cells <- subset(cells, !is.na(K) & design == design[1])
one_rank <- !anyNA(cells$R) && length(unique(cells$R)) == 1
cells$x <- if (one_rank) cells$K / cells$R else cells$K
cells$group <- sub("[0-9].*$", "", cells$setting)
label <- if (one_rank) "K / R" else "K"
ggplot(cells, aes(x, err_pred, colour = factor(n))) +
  geom_line(aes(y = risk_pred), na.rm = TRUE) +
  geom_pointrange(aes(ymin = err_pred - err_pred_mcse, ymax = err_pred + err_pred_mcse), size = 0.2) +
  facet_wrap(~group) + expand_limits(y = 0) + labs(x = label, y = "prediction error ± MCSE", colour = "n")
counts <- do.call(rbind, lapply(c("naive_parameters", "d_m", "df"), function(name) {
  data.frame(cells[c("x", "group")], name = name, count = cells[[name]])
}))
ggplot(unique(counts), aes(x, count, colour = name)) + geom_line() + geom_point() + facet_wrap(~group) +
  expand_limits(y = 0) + labs(x = label, colour = NULL)
