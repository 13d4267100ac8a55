"""Used by every other folder: errors, checks, files, random streams, workarounds for fairseq."""
