bound <- summary_table$explicit_bound_pred[match(counted$cell, summary_table$cell)]
over <- aggregate(cbind(share = counted$err_pred > bound) ~ setting + n, counted, mean, subset = !is.nan(bound))
ggplot(over, aes(n, share, colour = setting, shape = setting)) + geom_hline(yintercept = 1 - CONFIDENCE) + geom_point() + scale_x_log10() + expand_limits(y = 0) + marks() +
  labs(y = "errors above the explicit bound; line: stated probability, at most")
