"""What ``fairseq-seqgan report`` is made of; uses neither torch nor fairseq."""
