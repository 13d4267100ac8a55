"""Reading fairseq-train's log: lines that end in a JSON object (``--log-format json``)."""

from __future__ import annotations

import json
import math
from pathlib import Path

Record = dict[str, float]

VALIDATION = "valid_"


def validation(line: str) -> Record | None:
    """Return the validation metrics that *line* logs, without their prefix, and ``epoch``.

    Returns:
        None for any other line. ``loss`` is in bits, the NLLs in nats per token.
    """
    head, brace, tail = line.partition(" | {")
    if not brace or not head.rstrip().endswith("valid"):
        return None
    try:
        logged = json.loads("{" + tail)
    except ValueError:
        return None  # a line cut off when a training was interrupted
    record = {k.removeprefix(VALIDATION): v for k, v in logged.items() if k.startswith(VALIDATION)}
    return {"epoch": logged["epoch"], **{k: float(v) for k, v in record.items()}}


def validations(path: Path) -> list[Record]:
    """Return one record for every epoch in the log *path*, in order.

    An epoch that was repeated after an interruption counts once, as it came out last.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        found = [record for record in map(validation, lines) if record]
    return [record for _, record in sorted({r["epoch"]: r for r in found}.items())]


def show_mle(record: Record, epochs: int) -> str:
    """Return the progress line of an MLE epoch."""
    # fairseq's loss is in bits; the table's NLL leaves out the end symbol, which is certain here.
    loss = record["loss"] * math.log(2)
    return f"epoch {record['epoch']}/{epochs}   held-out loss {loss:.3f} nats/token (with the end)"


def show_adversarial(record: Record, pretrain: int, rounds: int) -> str:
    """Return the progress line of an epoch: a pool of D's pre-training, or a round."""
    aucs = f"D's AUC {record['d_auc_train']:.2f} training, {record['d_auc_heldout']:.2f} held out"
    epoch = int(record["epoch"])
    if epoch <= pretrain:
        return f"pre-training D {epoch}/{pretrain}   {aucs}"
    return (
        f"round {epoch - pretrain}/{rounds}   NLL_oracle {record['nll_oracle']:.3f}, held-out NLL "
        f"{record['nll']:.3f} nats/token   {aucs}"
    )
