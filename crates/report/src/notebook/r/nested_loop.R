cells <- summary_table[order(summary_table$setting, summary_table$design, summary_table$n), ]
places <- unique(cells[c("setting", "design", "n")])
key <- function(table) interaction(table$setting, table$design, table$n, drop = TRUE)
cells$place <- match(as.character(key(cells)), as.character(key(places)))
ggplot(cells, aes(place, err_pred, colour = solver, shape = solver)) +
  geom_step(aes(y = risk_pred, group = interaction(solver, setting, design)), direction = "mid", na.rm = TRUE) +
  geom_point(size = 0.8) + marks() + facet_grid(~ setting + design, scales = "free_x", space = "free_x") +
  scale_x_continuous(breaks = seq_len(nrow(places)), labels = places$n) +
  theme(axis.text.x = element_text(angle = 90, size = 5)) + labs(x = "n", y = "prediction error")
