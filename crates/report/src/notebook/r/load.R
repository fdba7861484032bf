manifest <- jsonlite::fromJSON(file.path(RUN, "manifest.json"))
summary_table <- read_table(file.path(RUN, "summary.parquet"))
summary_table$design <- unname(DESIGNS[summary_table$design])
for (name in c("setting", "design", "solver")) summary_table[[name]] <- in_order(summary_table[[name]])
files <- list.files(file.path(RUN, "parts"), "\\.parquet$", full.names = TRUE)
parts <- do.call(rbind, lapply(files, read_table))
parts <- parts[!duplicated(parts[c("cell", "replicate")]), ]
parts <- parts[parts$cell %in% summary_table$cell & parts$replicate < manifest$replicates, ]
cat(sprintf("%s: %d cells, %d replicates\n", manifest$name, nrow(summary_table), nrow(parts)))
