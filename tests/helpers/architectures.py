"""Tiny language models of every architecture that is said to work, by their options.

The same options build a model in a test and on the command line of fairseq-train.
"""

from argparse import SUPPRESS, ArgumentParser, Namespace

import torch
from fairseq.data import Dictionary
from fairseq.models import ARCH_MODEL_REGISTRY, FairseqLanguageModel, build_model

import fairseq_seqgan  # noqa: F401  (registers two of them)

_RECURRENT = (
    "--decoder-embed-dim 16 --decoder-hidden-size 16 --decoder-out-embed-dim 16 --dropout 0.1"
)
_SIZES = (
    "--decoder-embed-dim 16 --decoder-input-dim 16 --decoder-output-dim 16 "
    "--decoder-ffn-embed-dim 32 --decoder-layers 2 --decoder-attention-heads 2 --dropout 0.1"
)
_ADAPTIVE = "--adaptive-softmax-cutoff 8,16"
_TIED = (
    f"{_ADAPTIVE} --adaptive-input --adaptive-input-cutoff 8,16 --tie-adaptive-weights "
    "--adaptive-input-factor 2 --adaptive-softmax-factor 2"
)
# A kernel that is wider than the sequences of the tests, and one that is not.
_KERNELS = "--decoder-kernel-size-list [3,15]"
ARCHITECTURES = {
    "lstm": f"--arch lstm_lm {_RECURRENT}",
    "lstm, tied, two layers": f"--arch lstm_lm {_RECURRENT} --decoder-layers 2 --residuals "
    "--share-decoder-input-output-embed",
    "lstm, adaptive softmax": f"--arch lstm_lm {_RECURRENT} {_ADAPTIVE}",
    "gru": f"--arch gru_lm {_RECURRENT}",
    "gru, two layers": f"--arch gru_lm {_RECURRENT} --decoder-layers 2",
    "attention": f"--arch lstm_attention_lm {_RECURRENT}",
    "attention, another size": f"--arch lstm_attention_lm {_RECURRENT} --decoder-out-embed-dim 12",
    "attention, adaptive softmax": f"--arch lstm_attention_lm {_RECURRENT} {_ADAPTIVE}",
    "transformer": f"--arch transformer_lm {_SIZES}",
    "transformer, learned positions": f"--arch transformer_lm {_SIZES} --decoder-learned-pos "
    "--share-decoder-input-output-embed",
    "transformer, adaptive softmax": f"--arch transformer_lm {_SIZES} {_ADAPTIVE}",
    "transformer, adaptive, tied": f"--arch transformer_lm {_SIZES} {_TIED}",
    "transformer, characters": f"--arch transformer_lm {_SIZES} --character-embeddings "
    "--character-filters [(1,8),(2,8)]",
    "gated convolutions": "--arch fconv_lm --decoder-embed-dim 16 --dropout 0.1 "
    "--decoder-layers [(16,3)]*2",
    "gated convolutions, adaptive": "--arch fconv_lm --decoder-embed-dim 16 --dropout 0.1 "
    f"--decoder-layers [(16,4)] {_ADAPTIVE}",
    "light convolutions": f"--arch lightconv_lm {_SIZES} {_KERNELS} "
    "--decoder-conv-type lightweight",
    "dynamic convolutions": f"--arch lightconv_lm {_SIZES} {_KERNELS} --decoder-conv-type dynamic",
    "dynamic convolutions, adaptive": f"--arch lightconv_lm {_SIZES} {_KERNELS} {_TIED}",
}


def build(
    name: str, dictionary: Dictionary, positions: int, seed: int = 1, scale: float = 1.0
) -> FairseqLanguageModel:
    """Return the model *name* of :data:`ARCHITECTURES` as fairseq builds it, in train mode.

    *scale* multiplies the weights, so that the distribution is far from uniform.
    """
    torch.manual_seed(seed)
    arch, *words = ARCHITECTURES[name].split()[1:]
    parser = ArgumentParser(argument_default=SUPPRESS)
    ARCH_MODEL_REGISTRY[arch].add_args(parser)
    options = parser.parse_args(words)
    vars(options).update(
        arch=arch,
        criterion="adaptive_loss" if "--adaptive-softmax-cutoff" in words else "cross_entropy",
        add_bos_token=False,
        tokens_per_sample=positions,
        max_target_positions=positions,
        tpu=False,
    )
    task = Namespace(
        source_dictionary=dictionary,
        target_dictionary=dictionary,
        output_dictionary=dictionary,
        dictionary=dictionary,
    )
    model = build_model(options, task)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model.train()
