"""What ``fairseq-seqgan report`` is made of; knows neither torch nor fairseq."""
