"""Measure the checkpoint of every epoch of a language model, for the learning curves.

fairseq's cross-entropy logs the loss with the end symbol and no NLL_oracle; here both numbers are
those of the table: nats per token, over the T tokens of a sequence.

    python measure_epochs.py DATA --checkpoints FOLDER --num-samples 2000 --json FILE
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that no install is needed

from fairseq import checkpoint_utils

from fairseq_seqgan.errors import InputError
from fairseq_seqgan.oracle import Oracle, from_fairseq, to_fairseq
from fairseq_seqgan.policy import Policy, evaluating
from fairseq_seqgan.rollout import sample
from fairseq_seqgan.sampling import make_generator

ROWS = 250  # sequences scored at a time: the logits are ROWS x T x V floats


def load(path: Path, data: Path) -> tuple[Policy, int]:
    """Return the policy that the checkpoint *path* holds, and after how many updates it was saved.

    Raises:
        InputError: there is no such checkpoint.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    models, _, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(path)], arg_overrides={"data": str(data)}, state=state
    )
    return task.policy(models[0]), state["optimizer_history"][-1]["num_updates"]


@torch.no_grad()
def heldout_nll(policy: Policy, tokens: torch.Tensor) -> float:
    """Return the NLL of *tokens* (B, T) under *policy*, in nats per token."""
    with evaluating(policy.model):
        total = sum(float(policy.log_probs(rows).double().sum()) for rows in tokens.split(ROWS))
    return -total / tokens.numel()


def measure(policy: Policy, oracle: Oracle, heldout: torch.Tensor, num: int, seed: int) -> dict:
    """Return ``nll_oracle`` of *num* samples and ``nll`` of *heldout*, in nats per token."""
    drawn = sample(policy, num, make_generator("demo-curve", seed))
    return {
        "nll_oracle": float(oracle.nll(from_fairseq(drawn.tokens)).double().mean()),
        "nll": heldout_nll(policy, heldout),
    }


def main() -> None:
    """Write the curve as JSON: ``best_epoch`` and, for every epoch, the two numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of preprocess/oracle.py")
    parser.add_argument("--checkpoints", type=Path, required=True, help="fairseq's --save-dir")
    parser.add_argument("--num-samples", type=int, default=2000, help="drawn for every epoch")
    parser.add_argument("--seed", type=int, default=1, help="of the samples")
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    args = parser.parse_args()
    oracle = Oracle.load(args.data / "oracle.npz")
    lines = (args.data / "valid.txt").read_text(encoding="ascii").splitlines()
    heldout = to_fairseq(torch.tensor([[int(word) for word in line.split()] for line in lines]))
    _, best_updates = load(args.checkpoints / "checkpoint_best.pt", args.data)
    curve, best_epoch, epoch = [], 0, 1
    while (path := args.checkpoints / f"checkpoint{epoch}.pt").is_file():
        policy, updates = load(path, args.data)
        point = {"epoch": epoch, "updates": updates}
        curve.append(point | measure(policy, oracle, heldout, args.num_samples, args.seed))
        best_epoch = epoch if updates == best_updates else best_epoch
        epoch += 1
    if not best_epoch:
        raise InputError(f"{args.checkpoints}: the best epoch's own checkpoint is missing")
    result = {"best_epoch": best_epoch, "samples": args.num_samples, "epochs": curve}
    temporary = args.json.with_name(args.json.name + ".new")
    temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="ascii")
    temporary.replace(args.json)


if __name__ == "__main__":
    main()
