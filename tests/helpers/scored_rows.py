"""In a training process: the real sequences that D's AUCs are measured with."""

import functools

import torch


def record(folder: str) -> None:
    """Save the sequences of every AUC in *folder*, each under the metric's name."""
    from fairseq_seqgan.adversarial.real_data import RealData

    choose = RealData.for_validation

    @functools.wraps(choose)
    def recording(self, trainer):
        chosen = choose(self, trainer)
        for name, rows in chosen.sequences.items():
            torch.save(rows, f"{folder}/{name}.pt")
        return chosen

    RealData.for_validation = recording
