cells <- subset(summary_table, n > df + 1)
ggplot(cells, aes(sqrt(df / (n - df - 1)), err_pred / SIGMA, colour = setting, shape = setting)) +
  geom_abline() + geom_point() + scale_x_log10() + scale_y_log10() + marks() +
  labs(x = "√(df/(n − df − 1))", y = "prediction error / σ")
