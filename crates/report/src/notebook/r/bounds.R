bounds <- sub("_frob$", "", grep("_bound_frob$", names(summary_table), value = TRUE))
values <- as.matrix(summary_table[paste0(bounds, "_frob")])
applying <- rowSums(!is.nan(values))
# The designs of a setting to which the most bounds apply.
shown <- applying == ave(applying, summary_table$setting, FUN = max) & rowSums(is.finite(values)) > 0
shown <- as.data.frame(summary_table[shown, ])
curves <- do.call(rbind, lapply(bounds, function(bound) {
  value <- shown[[paste0(bound, "_frob")]]
  condition <- shown[[paste0(sub("_bound$", "", bound), "_condition")]]
  holds <- if (is.null(condition)) rep(TRUE, nrow(shown)) else condition == 1
  data.frame(
    setting = shown$setting, sqrt_dm_over_n = shown$sqrt_dm_over_n,
    bound = rep(gsub("_", " ", bound), nrow(shown)), value = ifelse(is.finite(value), value, NA), holds = holds
  )
}))
ggplot(shown, aes(sqrt_dm_over_n)) +
  geom_line(aes(y = value, colour = bound, linetype = holds), curves, na.rm = TRUE) +
  geom_line(aes(y = risk_frob, colour = "risk"), na.rm = TRUE) +
  geom_point(aes(y = err_frob, colour = "measured")) +
  facet_wrap(~setting) + scale_y_log10() +
  scale_linetype_manual(values = c(`TRUE` = "solid", `FALSE` = "dashed"), name = "condition holds") +
  labs(x = expression(sqrt(d[M] / n)), y = "estimation error", colour = NULL)
