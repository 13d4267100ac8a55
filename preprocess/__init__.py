"""From raw files to the folders that ``fairseq-train`` reads: one script for each data set."""
