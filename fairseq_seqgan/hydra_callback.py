"""``fairseq-hydra-train``: the plugin is there before fairseq reads the configuration.

fairseq imports ``common.user_dir`` after it has completed the configuration with the defaults of
every task that it knows. Those of task ``seqgan`` are not among them, and the model's references to
them, such as ``task.add_bos_token``, lead nowhere. A YAML file can name this callback, which hydra
imports and calls first::

    hydra:
      callbacks:
        seqgan: {_target_: fairseq_seqgan.hydra_callback.RegisterPlugin}
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import ARCH_MODEL_NAME_REGISTRY, MODEL_DATACLASS_REGISTRY
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from . import plugin  # noqa: F401  (registers everything)
from .support.errors import InputError


class RegisterPlugin(Callback):
    """Registers the plugin, by being imported, and refuses what fairseq would not understand."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check *config* before fairseq reads it.

        Raises:
            SystemExit: a key is unknown, or a value is missing; one line names it. Hydra would turn
                any other exception into a warning.
        """
        try:
            check(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"]))
        except InputError as error:
            raise SystemExit(error.code) from None


def check(config: DictConfig) -> None:
    """Check the names and keys of *config*.

    Raises:
        InputError: a key is unknown, or a value is missing.
    """
    for section, known in _known(config):
        for key in config[section]:
            if key != "_name" and key not in known:
                raise InputError(f"{section}.{key}: there is no such key{_suggest(key, known)}")
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise InputError(f"{missing[0]}: has no value; say {missing[0]}=VALUE")


def _known(config: DictConfig) -> Iterator[tuple[str, Collection[str]]]:
    """Yield each section of *config* whose keys fairseq defines, with these keys."""
    sections = {field.name: field.default for field in fields(FairseqConfig)}
    for section, content in config.items():
        if section not in sections:
            raise InputError(f"{section}: there is no such section{_suggest(section, sections)}")
        if not isinstance(content, DictConfig):
            continue
        found = sections[section]
        if not is_dataclass(found):  # it depends on the name
            found = _dataclass(section, content.get("_name"))
        if found is not None:
            yield section, [field.name for field in fields(found)]


def _dataclass(section: str, name: str | None) -> Any:
    """Return the options of what is called *name*; None for a legacy one, which lists none.

    Raises:
        InputError: it has no name.
    """
    if name is None:
        raise InputError(f"{section}._name: missing; it says which {section} is meant")
    if section == "task":
        return TASK_DATACLASS_REGISTRY.get(name)
    if section == "model":
        return MODEL_DATACLASS_REGISTRY.get(ARCH_MODEL_NAME_REGISTRY.get(name, name))
    registry = REGISTRIES.get(section, {})
    return registry.get("dataclass_registry", {}).get(name)


def _suggest(key: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
