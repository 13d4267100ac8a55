"""Workarounds for fairseq's language models, each with its reason."""

import argparse
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from fairseq.models import (
    ARCH_MODEL_REGISTRY,
    MODEL_REGISTRY,
    FairseqDecoder,
    FairseqIncrementalDecoder,
)
from fairseq.models.lstm import LSTMDecoder
from fairseq.models.transformer import TransformerDecoderBase
from fairseq.modules import AdaptiveSoftmax, LearnedPositionalEmbedding
from fairseq.modules.dynamic_convolution import DynamicConv_scripatable
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

from .errors import NOT_REGISTERED, InputError, flag

logger = logging.getLogger(__name__)

ADAPTIVE_LOSS = "adaptive_loss"  # fairseq's criterion for an adaptive softmax
# Options that fairseq's models pass to Python's ``eval``, whoever wrote the checkpoint.
_EVALUATED = (
    "adaptive_input_cutoff",
    "adaptive_softmax_cutoff",
    "character_filters",
    "decoder_attention",
    "decoder_layers",
    "decoder_xformers_att_config",
    "xformers_att_config",
)
_LIST = re.compile(r"(?:[\d\s\[\](),+]|\*(?!\*)|True|False)*")


def store_plain_model_options(root: DictConfig) -> None:
    """Turn the options of a legacy architecture into a DictConfig, so that fairseq can load them.

    fairseq keeps those of ``lstm_lm`` as an ``argparse.Namespace``. With torch 2.6 or newer,
    fairseq without this plugin refuses to load a checkpoint that contains one. ``build_model`` also
    accepts a DictConfig with the architecture's name, which every fairseq can load.
    """
    model = root.get("model")
    if isinstance(model, argparse.Namespace):
        with open_dict(root):
            root.model = OmegaConf.create({"_name": model.arch, **vars(model)})


def require_lists(options: Any) -> None:
    """Check the options of a model that fairseq evaluates as Python code: lists of numbers only.

    They come from the command line, or from a checkpoint, which nobody has to trust.

    Args:
        options: a namespace, a configuration, a mapping or a dataclass.

    Raises:
        InputError: names the option.
    """
    for name, value in _nested(_stated(options)):
        if name in _EVALUATED and isinstance(value, str) and not _LIST.fullmatch(value):
            raise InputError(f"{flag(name)} {value[:80]!r}: not a list such as [(64, 3)] * 2")


def _stated(options: Any) -> Mapping[str, Any]:
    """Return *options* as they are written: a reference to another option stays one."""
    if OmegaConf.is_config(options):
        options = OmegaConf.to_container(options, resolve=False)
    return options if isinstance(options, Mapping) else vars(options)


def _nested(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of *options*, also of groups of options among them."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _nested(value)
        else:
            yield name, value


def architecture(options: Any) -> str | None:
    """Return the name of the architecture that a model's *options* describe; None: they do not."""
    if isinstance(options, dict):
        return options.get("arch") or options.get("_name")
    return getattr(options, "arch", None) or getattr(options, "_name", None)


def require_language_model(options: Any, place: str = "") -> None:
    """Check that a model's *options* describe a language model, before fairseq builds it.

    fairseq's own check fails while it words its message, with a KeyError. It builds what ``_name``
    says, and only without it what ``arch`` says, so both are checked: other models pass more of
    their options to ``eval`` than :func:`require_lists` knows.

    Args:
        place: what the message begins with.

    Raises:
        InputError: they name no architecture, one that nobody has registered, or another model.
    """
    stated = _stated(options)
    names = [stated[key] for key in ("arch", "_name") if stated.get(key)]
    if not names:
        raise InputError(f"{place}--arch: missing; it names the language model, such as lstm_lm")
    for name in names:
        cls = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
        if cls is None:
            raise InputError(f"{place}--arch {name} {NOT_REGISTERED}")
        if not hasattr(cls, "supported_targets"):
            raise InputError(f"{place}--arch {name}: not a language model")


def build_adaptive_softmax(model_options: Any, weights: Iterable[str]) -> None:
    """Have the model built with an adaptive softmax if the *weights* that it will load have one.

    ``lstm_lm`` and ``fconv_lm`` build it only for fairseq's criterion ``adaptive_loss``, which
    adversarial training is not.

    Args:
        model_options: the model's; they are changed, and stored in the checkpoint as changed.
        weights: the names of the weights of the model that the training begins with.
    """
    conditional = hasattr(model_options, "criterion")
    if conditional and any(".adaptive_softmax." in name for name in weights):
        model_options.criterion = ADAPTIVE_LOSS


def has_features(decoder: FairseqDecoder) -> bool:
    """Return whether *decoder* computes features and projects them to the vocabulary separately.

    The convolutional decoders only have ``forward``. Both base classes define
    ``extract_features``, but raise ``NotImplementedError``.
    """
    inherited = FairseqDecoder.extract_features, FairseqIncrementalDecoder.extract_features
    return type(decoder).extract_features not in inherited


def most_positions(model: nn.Module) -> int | None:
    """Return the length of the longest sequence that *model* has positions for; None: any.

    fairseq looks a learned position up without a check; torch then fails, on a GPU long after.
    """
    positions = getattr(model.decoder, "embed_positions", None)
    return positions.max_positions if isinstance(positions, LearnedPositionalEmbedding) else None


def least_positions(model: nn.Module) -> int:
    """Return how many positions a pass over whole sequences must have to equal decoding.

    A dynamic convolution normalises its kernel over the positions of the sequences, if they are
    fewer than the kernel is wide. Decoding step by step always normalises the whole kernel.
    """
    convolutions = (m for m in model.modules() if isinstance(m, DynamicConv_scripatable))
    return max((m.kernel_size for m in convolutions), default=1)


def initialize_unused(model: nn.Module) -> None:
    """Set to 0 the weights of *model* that fairseq neither initialises nor uses.

    Each dynamic convolution has a bias that is added to nothing. Its memory may hold NaN, which
    would look like a divergence.
    """
    for module in model.modules():
        if isinstance(module, DynamicConv_scripatable) and not module.has_conv_bias:
            nn.init.zeros_(module.conv_bias)


def warn_of_wide_kernels(model: nn.Module, length: int) -> None:
    """Warn if sequences of at most *length* tokens were too short to train *model* on."""
    least = least_positions(model)
    if least > length:
        logger.warning(
            "a dynamic convolution is %d wide, and the longest sequence has %d tokens: maximum "
            "likelihood has trained other probabilities than are sampled from; train again with a "
            "smaller --decoder-kernel-size-list",
            least,
            length,
        )


def last_linear(decoder: FairseqDecoder) -> tuple[Tensor, Tensor | None] | None:
    """Return weight (V, C) and bias (V,) or None of the linear layer that *decoder* ends in.

    V is the number of symbols, C that of features. Returns None for a decoder that does not end in
    a linear layer. ``output_layer`` always allocates its logits; with the weights, the sampler can
    write them into memory of its own.
    """
    project = type(decoder).output_layer
    if getattr(decoder, "adaptive_softmax", None) is not None:
        return None
    if project is LSTMDecoder.output_layer:
        if decoder.share_input_output_embed:
            return decoder.embed_tokens.weight, None
        return decoder.fc_out.weight, decoder.fc_out.bias
    if project is TransformerDecoderBase.output_layer:
        layer = decoder.output_projection
        return (layer.weight, layer.bias) if isinstance(layer, nn.Linear) else None
    return None


def adaptive_log_probs(softmax: AdaptiveSoftmax, features: Tensor) -> Tensor:
    """Return the log-probabilities (..., V) of all symbols, from *features* (..., C).

    The first band of symbols has its probabilities from the head, which also has one entry h(i) for
    each further band i; those of a symbol v there are h(i) times the share of v in its band. The
    result is float32, and gradients flow.

    fairseq's ``get_log_prob`` computes the same without gradients: it overwrites tensors that the
    backward pass would need.
    """
    rows = softmax.dropout_module(features.reshape(-1, features.size(-1)))
    head = softmax.head(rows).float().log_softmax(dim=1)
    first = softmax.cutoff[0]
    bands = [head[:, :first]]
    for prior, tail in zip(head[:, first:].split(1, dim=1), softmax.tail, strict=True):
        bands.append(tail(rows).float().log_softmax(dim=1) + prior)
    return torch.cat(bands, dim=1).view(*features.shape[:-1], -1)


def let_copy(model: nn.Module) -> None:
    """Let ``copy.deepcopy`` copy *model*.

    Weight normalisation, which ``fconv_lm`` has, keeps the weight of its last forward pass as an
    attribute, with the graph that it was computed by; such a tensor cannot be copied. Every forward
    pass computes it anew.
    """
    for module in model.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                setattr(module, hook.name, getattr(module, hook.name).detach())


def finite_parts(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return those of *weights* whose numbers mean something.

    Sinusoidal positions and adaptive inputs store a tensor of one uninitialised number, of which
    only the type is used.
    """
    return [value for name, value in weights.items() if not name.endswith("_float_tensor")]
