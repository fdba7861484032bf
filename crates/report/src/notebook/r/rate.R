long <- do.call(rbind, lapply(c("pred", "frob"), function(norm) {
  column <- function(name) summary_table[[paste0(name, norm)]]
  data.frame(summary_table[c("setting", "design", "solver", "sqrt_dm_over_n")],
             norm = c(pred = "prediction error", frob = "estimation error")[[norm]],
             error = column("err_"), mcse = summary_table[[paste0("err_", norm, "_mcse")]], risk = column("risk_"))
}))
long$norm <- in_order(long$norm)
ggplot(long, aes(sqrt_dm_over_n, error, colour = setting, group = interaction(setting, solver))) +
  geom_line(aes(y = risk), na.rm = TRUE) +
  geom_pointrange(aes(ymin = error - mcse, ymax = error + mcse, shape = solver), size = 0.2) +
  facet_grid(norm ~ design, scales = "free_y") + expand_limits(x = 0, y = 0) + marks() +
  labs(x = expression(sqrt(d[M] / n)), y = "error ± MCSE; lines: risk")
