"""What ``fairseq-generate`` printed, and the transformer that it draws text from."""

TRANSFORMER = (
    "--arch transformer_lm --decoder-embed-dim 16 --decoder-ffn-embed-dim 32 --decoder-layers 1 "
    "--decoder-attention-heads 2 --dropout 0.1"
)


def hypotheses(result):
    """Return [(id, words), ...] of the H- lines, as they come."""
    lines = [line.split("\t") for line in result.check().stdout.splitlines() if line[:2] == "H-"]
    return [(int(name[2:]), text.split()) for name, _, text in lines]
