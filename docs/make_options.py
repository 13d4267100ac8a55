"""Writes docs/options.md from the dataclasses of the options: python docs/make_options.py."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from enum import Enum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that no install is needed

from fairseq.dataclass import FairseqDataclass
from fairseq.models import MODEL_REGISTRY
from tabulate import tabulate

from fairseq_seqgan.adversarial.action_values import AdvantageConfig
from fairseq_seqgan.adversarial.early_stopping import EarlyStoppingConfig
from fairseq_seqgan.adversarial.minibatches import MinibatchConfig
from fairseq_seqgan.adversarial.objective import ObjectiveConfig
from fairseq_seqgan.adversarial.prefixes import PrefixConfig
from fairseq_seqgan.adversarial.schedule import ScheduleConfig
from fairseq_seqgan.adversarial.validation import ValidationConfig
from fairseq_seqgan.criterions import seqgan as criterion
from fairseq_seqgan.criterions.scheduled_sampling import ScheduledSamplingConfig
from fairseq_seqgan.models.discriminator import DiscriminatorConfig, discriminators
from fairseq_seqgan.optim.seqgan_adam import SeqGANAdamConfig
from fairseq_seqgan.policy.generate_options import GenerateConfig
from fairseq_seqgan.policy.policy import PolicyConfig
from fairseq_seqgan.policy.rollouts import RolloutConfig
from fairseq_seqgan.rewards.base import OPTIONS
from fairseq_seqgan.support.errors import flag
from fairseq_seqgan.tasks import config as task

PAGE = Path(__file__).resolve().parent / "options.md"
INTRODUCTION = """# Options

This page is generated from the code by `python docs/make_options.py`. fairseq's own options, such
as `--lr` and `--batch-size`, are in
[its documentation](https://fairseq.readthedocs.io/en/latest/command_line_tools.html).

G is the generator, D the discriminator. B is the number of sequences in a G step (`--batch-size`),
T the number of tokens in a sequence, N the number of rollouts of each prefix.
"""


def sections() -> list[tuple[str, str]]:
    """Return (heading, table) of all sections, in the order of the page."""
    task_config, criterion_config = task.make_config(), criterion.make_config()
    found = [
        ("`--task seqgan`: the schedule", table(ScheduleConfig)),
        ("`--task seqgan`: prefixes", table(PrefixConfig)),
        ("`--task seqgan`: rollouts", table(RolloutConfig)),
        ("`--task seqgan`: the reward", table(task_config, "reward")),
        *((f"`--task seqgan`: {heading(options)}", table(options)) for options in OPTIONS),
        ("`--task seqgan`: what G maximises", table(ObjectiveConfig, AdvantageConfig)),
        ("`--task seqgan`: the data of D", table(MinibatchConfig, EarlyStoppingConfig)),
        ("`--task seqgan`: the policy", table(PolicyConfig)),
        ("`--task seqgan`: validation", table(ValidationConfig)),
        ("`--task seqgan` with `fairseq-generate`", table(GenerateConfig)),
        (
            "`--criterion seqgan`",
            table((criterion_config, "discriminator"), criterion.SeqGANCriterionBaseConfig),
        ),
        ("`--criterion seqgan`: every discriminator", table(DiscriminatorConfig)),
    ]
    for name, options in sorted(discriminators().items()):
        about = f"`--criterion seqgan`: `--discriminator {name}`"
        found.append((f"{about}, {first_line(MODEL_REGISTRY[name])}", table(options)))
    found.append(("`--criterion scheduled_sampling`", table(ScheduledSamplingConfig)))
    found.append(("`--optimizer seqgan_adam`, beside those of `adam`", table(SeqGANAdamConfig)))
    return found


def heading(options: type) -> str:
    """Return the first sentence of the docstring of *options* as a heading."""
    return first_line(options).replace("Options of ", "").replace("``", "`")


def first_line(cls: type) -> str:
    """Return the first sentence of a docstring, without its full stop."""
    line = (cls.__doc__ or cls.__name__).split("\n\n")[0].replace("\n    ", " ")
    return line.split(". ")[0].split(";")[0].rstrip(".")


def table(*parts: type[FairseqDataclass] | tuple[type[FairseqDataclass], str] | str) -> str:
    """Return the options that *parts* define themselves.

    A part is a dataclass, or a dataclass and the name of its only field that counts.
    """
    if len(parts) == 2 and isinstance(parts[1], str):
        parts = (parts,)
    rows = []
    for part in parts:
        options, only = part if isinstance(part, tuple) else (part, None)
        for field in dataclasses.fields(options):
            own = field.name in vars(options)["__annotations__"]
            if field.name == only or (only is None and own and "help" in field.metadata):
                rows.append(row(field))
    return tabulate(rows, ("option", "default", "what it does"), tablefmt="github")


def row(field: dataclasses.Field) -> tuple[str, str, str]:
    """Return the option, its default and its help text."""
    about = field.metadata["help"]
    if isinstance(field.type, type) and issubclass(field.type, Enum):
        about += f" ({', '.join(f'`{choice.value}`' for choice in field.type)})"
    shown = "–" if field.default is None else f"`{field.default}`"
    return f"`{flag(field.name)}`", shown, about.replace("|", "\\|")


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION.rstrip(), *(f"## {head}\n\n{rows}" for head, rows in sections())]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # refuses all options
    PAGE.write_text(page(), encoding="utf-8")
