cells <- subset(summary_table, risk_pred > 0)
cells$ratio <- cells$err_pred / cells$risk_pred
cells$se <- sqrt((cells$err_pred_mcse / cells$risk_pred)^2 + (cells$ratio * cells$risk_pred_se / cells$risk_pred)^2)
cells$line <- in_order(paste(cells$setting, cells$design, cells$solver, "n =", cells$n))
ggplot(cells, aes(ratio, line)) + geom_vline(xintercept = 1, linetype = "dashed") +
  geom_pointrange(aes(xmin = ratio - 1.96 * se, xmax = ratio + 1.96 * se), size = 0.2) +
  scale_y_discrete(limits = rev) + labs(x = "prediction error / risk, ± 1.96 MCSE", y = NULL)
