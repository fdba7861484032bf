shown <- subset(summary_table, !is.nan(explicit_bound_frob) & is.finite(literature_bound_frob))
shown$explicit_bound_frob[!is.finite(shown$explicit_bound_frob)] <- NA
ggplot(shown, aes(sqrt_dm_over_n)) +
  geom_line(aes(y = literature_bound_frob, colour = "literature bound", linetype = literature_condition == 1)) +
  geom_line(aes(y = explicit_bound_frob, colour = "explicit bound"), na.rm = TRUE) +
  geom_line(aes(y = risk_frob, colour = "risk"), na.rm = TRUE) +
  geom_point(aes(y = err_frob, colour = "measured")) +
  facet_wrap(~setting) + scale_y_log10() +
  scale_linetype_manual(values = c(`TRUE` = "solid", `FALSE` = "dashed"), name = "condition holds") +
  labs(x = expression(sqrt(d[M] / n)), y = "estimation error", colour = NULL)
