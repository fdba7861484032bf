# Needs arrow (or nanoparquet), ggplot2 and jsonlite
library(ggplot2)
theme_set(theme_minimal())

RUN <- @RUN@  # the run directory, seen from this document's folder
SIGMA <- @SIGMA@  # standard deviation of the noise
CONFIDENCE <- @CONFIDENCE@  # probability with which the explicit bound holds

read_table <- if (requireNamespace("arrow", quietly = TRUE)) {
  function(path) as.data.frame(arrow::read_parquet(path))
} else {
  function(path) as.data.frame(nanoparquet::read_parquet(path))
}
in_order <- function(x) factor(x, unique(x))
DESIGNS <- @DESIGNS@  # titles by name
# One mark a series, beside its colour.
marks <- function() scale_shape_manual(values = rep(c(16, 15, 17, 18, 25, 3, 4), 9))
