chosen <- subset(summary_table, !is.nan(chosen_right))
ggplot(chosen, aes(n, chosen_right, colour = solver, shape = solver)) + geom_line() +
  geom_pointrange(aes(ymin = chosen_right - chosen_right_mcse, ymax = chosen_right + chosen_right_mcse), size = 0.2) +
  scale_x_log10() + marks() + expand_limits(y = 0) + facet_wrap(~ setting + design) + labs(y = "share that chose the truth ± MCSE", colour = "criterion", shape = "criterion")
