"""The lines that the user reads while a training runs."""

from __future__ import annotations

import math
import sys

from .recipe import ROOT

sys.path.insert(0, str(ROOT))  # so that no install is needed

from fairseq_seqgan.reporting.training_log import Record, validation

TITLES = {"nll_oracle": "NLL_oracle", "nll": "held-out NLL"}


def show(line: str, pretrain: int | None = None) -> str | None:
    """Return what the line of a training's log says of a validation; None for other lines.

    Args:
        line: of fairseq-train with ``--log-format json``.
        pretrain: the epochs before the first round, in which D is pre-trained; None: the epochs
            are no rounds.
    """
    record = validation(line)
    return None if record is None else f"{_when(record, pretrain)}   {_metrics(record)}"


def _when(record: Record, pretrain: int | None) -> str:
    epoch = int(record["epoch"])
    if pretrain is None:
        return f"epoch {epoch}"
    if epoch <= pretrain:
        return f"pre-training D {epoch}/{pretrain}"
    return f"round {epoch - pretrain}"


def _metrics(record: Record) -> str:
    """Return the NLLs in nats per token, and D's AUCs, if it was shown held-out sequences."""
    found = [f"{title} {record[name]:.3f}" for name, title in TITLES.items() if name in record]
    if not found:  # MLE on data without an oracle logs only fairseq's loss, in bits
        found = [f"held-out loss {record['loss'] * math.log(2):.3f}"]
    text = ", ".join(found) + " nats/token"
    if "d_auc_heldout" in record:
        text += (
            f"   D's AUC {record['d_auc_train']:.2f} training, "
            f"{record['d_auc_heldout']:.2f} held out"
        )
    return text
