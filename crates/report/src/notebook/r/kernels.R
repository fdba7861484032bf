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
abscissa <- if (one_rank) scale_x_log10(breaks = unique(cells$x)) else scale_x_continuous(breaks = unique(cells$x))
ggplot(cells, aes(x, err_pred, colour = factor(n), shape = factor(n))) +
  geom_line(aes(y = risk_pred), na.rm = TRUE) +
  geom_pointrange(aes(ymin = err_pred - err_pred_mcse, ymax = err_pred + err_pred_mcse), size = 0.2) +
  facet_wrap(~group) + expand_limits(y = 0) + abscissa + marks() +
  labs(x = label, y = "prediction error ± MCSE", colour = "n", shape = "n")
names_of <- c(naive_parameters = "naive parameters", d_m = "d_M", df = "df (identifiable)")
counts <- do.call(rbind, lapply(names(names_of), function(name) {
  data.frame(cells[c("x", "group")], name = names_of[[name]], count = cells[[name]])
}))
ggplot(unique(counts), aes(x, count, colour = name, shape = name)) + geom_line() + geom_point() + facet_wrap(~group) +
  scale_colour_manual(values = c("#966e00", "#3c3c3c", "#cc79a7"), limits = unname(names_of)) +
  scale_shape_manual(values = c(3, 4, 18), limits = unname(names_of)) +
  expand_limits(y = 0) + abscissa + labs(x = label, colour = NULL, shape = NULL)
