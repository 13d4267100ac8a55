"""``fairseq-seqgan prepare``: a folder for ``fairseq-train`` from text of one's own."""

from ..preprocess.own_text import add_arguments, run

__all__ = ["add_arguments", "run"]
