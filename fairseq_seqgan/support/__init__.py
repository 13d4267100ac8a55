"""What every other folder may use: errors, checks, files, random streams, and fairseq's quirks."""
