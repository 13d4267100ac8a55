"""Samples of G in TensorBoard, beside fairseq's metrics (``--tensorboard-logdir``)."""

from __future__ import annotations

from typing import Any

from fairseq.logging.progress_bar import TensorboardProgressBarWrapper
from fairseq.models import BaseFairseqModel

from ..policy.rollouts import sample
from ..support import compat, distributed
from ..support.escaping import visible
from ..support.rng import seeded_rng

NUMBER = 10  # samples that are shown after each validation


class SampleTexts:
    """A task that shows samples in TensorBoard after each validation; a base beside fairseq's."""

    def post_validate(self: Any, model: BaseFairseqModel, stats: dict[str, Any], agg: Any) -> None:
        """Write samples under ``samples``, to where fairseq writes what it validates."""
        root = compat.root_config(self.args)
        folder = root.common.tensorboard_logdir if root is not None else None
        if root is None or not folder or distributed.rank() != 0:
            return
        subset = root.dataset.valid_subset.split(",")[0]
        # fairseq keeps one writer for each subset.
        writer = TensorboardProgressBarWrapper(None, folder)._writer(subset)
        if writer is None:  # neither tensorboard nor tensorboardX is installed; fairseq says so
            return
        updates = int(stats["num_updates"])
        random, prefix = seeded_rng("samples", self.args.seed, updates), None
        if self.adversarial is not None:
            prefix = self.adversarial.prefixes.draw(NUMBER, random)
        drawn = sample(self.policy(model), NUMBER, random, prefix=prefix)
        rows = zip(drawn.tokens.cpu(), drawn.mask.cpu(), strict=True)
        lines = [self.dictionary.string(row[seen]) for row, seen in rows]
        # Indented, it is code to Markdown, and shown as it is.
        writer.add_text("samples", "\n".join(f"    {visible(line)}" for line in lines), updates)
        writer.flush()
