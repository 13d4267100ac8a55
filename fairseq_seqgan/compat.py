"""All knowledge about fairseq's rough edges, each with the reason for the workaround."""

import argparse
import collections
import typing
from types import SimpleNamespace

import numpy as np
import torch
from fairseq.distributed.utils import _TensorPlaceholder, all_gather_list
from fairseq.models import FairseqDecoder
from fairseq.models.lstm import LSTMDecoder
from fairseq.models.transformer import TransformerDecoderBase
from fairseq.tasks.language_modeling import LanguageModelingConfig
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode
from torch import Tensor, nn


def allow_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read fairseq's own checkpoints.

    A checkpoint of a legacy architecture such as ``lstm_lm`` holds an ``argparse.Namespace``; a
    resume with several processes sends the loaded state through pickle once more, and with it the
    types of hydra's configuration. None of these runs code when it is loaded.
    """
    torch.serialization.add_safe_globals(
        [
            argparse.Namespace,
            collections.defaultdict,
            typing.Any,
            dict,
            list,
            int,
            DictConfig,
            ListConfig,
            Metadata,
            ContainerMetadata,
            AnyNode,
            _TensorPlaceholder,
        ]
    )


def numpy_2() -> None:
    """Give numpy 2 the ``np.compat.long`` that fairseq's token_block_dataset still asks for."""
    if not hasattr(np, "compat"):
        np.compat = SimpleNamespace(long=int)


def gather_on_cpu(processes: int, size: int) -> None:
    """Let *processes* on CPUs exchange what they log, up to *size* bytes each.

    fairseq's ``all_gather_list`` asks for CUDA memory unless its buffers are there already.
    """
    all_gather_list._buffer = torch.zeros(processes * size, dtype=torch.uint8)
    all_gather_list._cpu_buffer = torch.zeros(size, dtype=torch.uint8)


def root_config(task_cfg: LanguageModelingConfig | DictConfig) -> DictConfig | None:
    """Return the whole configuration that *task_cfg* is a part of, or None outside a command.

    fairseq hands a task only its own part, but the number of rounds decides ``max_epoch``, and a
    checkpoint that does not fit is best refused before anything is built. OmegaConf keeps the
    parent (``merge_with_parent`` relies on it too).
    """
    return task_cfg._get_parent() if isinstance(task_cfg, DictConfig) else None


def store_plain_model_options(root: DictConfig) -> None:
    """Turn the options of a legacy architecture into plain ones, for the checkpoint's sake.

    fairseq keeps those of ``lstm_lm`` as an ``argparse.Namespace``, and with torch 2.6 or newer a
    fairseq without this plugin refuses to read back a checkpoint that holds one. As a DictConfig
    with the architecture's name, which ``build_model`` takes as well, they are read everywhere.
    """
    model = root.get("model")
    if isinstance(model, argparse.Namespace):
        with open_dict(root):
            root.model = OmegaConf.create({"_name": model.arch, **vars(model)})


def end_training_at(root: DictConfig, epochs: int, updates: int) -> None:
    """Make fairseq stop after *epochs* or *updates*, unless the user asked for less.

    Both are needed: a finished training that is started again would do one more update if only
    ``max_update`` were set, and one whose data loader was reset would go on if only ``max_epoch``.
    """
    limits = root.optimization
    limits.max_epoch = min(limits.max_epoch or epochs, epochs)
    limits.max_update = min(limits.max_update or updates, updates)


def last_linear(decoder: FairseqDecoder) -> tuple[Tensor, Tensor | None] | None:
    """Return weight (V, C) and bias (V,) or None of the linear layer that *decoder* ends in.

    None for a decoder that projects in another way. ``output_layer`` cannot be told where to write
    its logits, so the sampler multiplies with the weights itself where it knows how.
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
