root_mean <- function(e) {
  root <- sqrt(mean(e^2))
  c(root, if (isTRUE(root == 0)) 0 else sd(e^2) / sqrt(length(e)) / (2 * root))
}
counted <- parts[!startsWith(parts$termination, "error"), ]
of_cell <- factor(counted$cell, summary_table$cell)
same <- function(ours, theirs) {
  unknown <- is.na(ours) & is.na(theirs)
  all(unknown | abs(ours - theirs) <= 1e-15 + 1e-9 * abs(theirs), na.rm = FALSE)
}
stopifnot(all(as.vector(table(of_cell)) == summary_table$replicates))
for (column in c("err_pred", "err_frob")) {
  again <- vapply(split(counted[[column]], of_cell), root_mean, c(0, 0))
  stopifnot(same(again[1, ], summary_table[[column]]))
  stopifnot(same(again[2, ], summary_table[[paste0(column, "_mcse")]]))
}
cat(nrow(summary_table), "cells: errors and Monte Carlo standard errors agree with the summary\n")
