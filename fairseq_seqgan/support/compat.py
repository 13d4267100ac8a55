"""All knowledge about fairseq's rough edges, each with the reason for the workaround."""

import argparse
import collections
import functools
import sys
import typing
from typing import Any

import torch
from fairseq import options
from fairseq.dataclass import FairseqDataclass
from fairseq.distributed.utils import _TensorPlaceholder, all_gather_list
from fairseq.models import FairseqDecoder
from fairseq.models.lstm import LSTMDecoder
from fairseq.models.transformer import TransformerDecoderBase
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY
from fairseq.tasks.language_modeling import LanguageModelingConfig
from hydra.core.config_store import ConfigStore
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


def prepare_training(root: DictConfig, processes: int) -> None:
    """Do what a training with *root* needs before anything is built; nothing for other commands."""
    evaluates = root.get("common_eval") and root.common_eval.get("path")
    if evaluates or not root.get("criterion"):
        return
    store_plain_model_options(root)
    if root.common.cpu:
        gather_on_cpu(processes, root.common.all_gather_list_size)


def replace_options(registry: str, name: str, cls: type, dataclass: type[FairseqDataclass]) -> None:
    """Make *dataclass* the options of what fairseq has registered as *name*.

    fairseq takes the options of a task or criterion when it is registered, but here they grow with
    every reward and discriminator that a user adds. A command line is parsed with ``__dataclass``,
    composed with hydra's store and built with the registry, so all three must agree.

    Args:
        registry: ``task`` or ``criterion``.
        cls: the class that is registered.
    """
    if registry == "task":
        dataclasses = TASK_DATACLASS_REGISTRY
    else:
        dataclasses = REGISTRIES[registry]["dataclass_registry"]
    dataclasses[name] = dataclass
    setattr(cls, "__dataclass", dataclass)
    node = dataclass()
    node._name = name
    ConfigStore.instance().store(name=name, group=registry, node=node, provider="fairseq")


def show_all_options() -> None:
    """Let ``--help`` list the options of the task, the model and the criterion as well.

    fairseq parses a command line twice: first for the names of task, model and criterion, then
    with their options. Its ``--help`` already ends the first parse, before these are known.
    """
    parse = options.parse_args_and_arch

    @functools.wraps(parse)
    def parse_with_help(
        parser: argparse.ArgumentParser, input_args: list[str] | None = None, **kwargs: Any
    ) -> Any:
        given = sys.argv[1:] if input_args is None else input_args
        if not {"-h", "--help"}.intersection(given):
            return parse(parser, input_args, **kwargs)

        def first_parse(*_: Any) -> tuple[argparse.Namespace, list[str]]:
            del parser.parse_known_args  # the second parse is fairseq's own
            args, rest = parser.parse_known_args([a for a in given if a not in ("-h", "--help")])
            if getattr(args, "arch", None) is None:
                vars(args).pop("arch", None)  # fairseq stops at a missing one
            return args, rest

        parser.parse_known_args = first_parse
        return parse(parser, input_args, **kwargs)

    options.parse_args_and_arch = parse_with_help


def add_old_names(parser: argparse.ArgumentParser, options: dict[str, str]) -> None:
    """Let *parser* take options under the names that they had before; they are not in its help.

    Args:
        options: the old option, such as ``--rollout-lag``, and the present name of its field.
    """
    for option, field in options.items():
        action = next((a for a in parser._actions if a.dest == field), None)
        if action is not None:
            parser.add_argument(
                option,
                dest=field,
                type=action.type,
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )


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
