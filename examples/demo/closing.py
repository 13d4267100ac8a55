"""What the demo ends with: the table and its explanation."""

from __future__ import annotations

from tabulate import tabulate

REWARDED = ("seqgan", "constant_reward")
METRICS = ("nll_oracle", "nll", "entropy")
AUCS = ("d_auc_train", "d_auc_heldout")

Systems = dict[str, dict[str, float]]


def table(systems: Systems, labels: dict[str, str]) -> str:
    """Return the results as text, with '-' where there is no number."""
    rows = [
        [labels.get(name, name), *(numbers.get(column) for column in (*METRICS, *AUCS))]
        for name, numbers in systems.items()
    ]
    headers = ["", "NLL_oracle", "held-out NLL", "entropy"]
    headers += ["D's AUC,\ntraining", "D's AUC,\nheld out"]
    formats = ("", ".3f", ".3f", ".3f", ".2f", ".2f")
    return tabulate(rows, headers, floatfmt=formats, missingval="-")


def explain(systems: Systems, samples: int) -> str:
    """Return the lines under the table: what the columns are, and what this run does not show."""
    mle, seqgan, control = (systems[name] for name in ("mle", *REWARDED))
    lines = [
        f"Nats per token; lower NLLs are better. NLL_oracle and entropy: {samples} samples. "
        "Held-out NLL: test data.",
        "D's AUC: the probability that D scores real text (seen in training / held out) above a "
        "sample; 0.5: it cannot\n  tell them apart. MLE's row is D before the first round; the "
        "last two are each training's own D at its end.",
    ]
    change = {name: systems[name]["nll_oracle"] - mle["nll_oracle"] for name in REWARDED}
    lines.append(
        f"NLL_oracle against MLE: SeqGAN {change['seqgan']:+.3f}, "
        f"constant reward {change['constant_reward']:+.3f}."
    )
    if change["constant_reward"] < 0:
        lines.append(
            "The constant reward does not depend on the data and lowers NLL_oracle too, by "
            "narrowing what is drawn (entropy):\n  NLL_oracle alone cannot tell the two apart. "
            "Look at the held-out NLL beside it: "
            f"MLE {mle['nll']:.3f}, SeqGAN {seqgan['nll']:.3f}, "
            f"constant reward {control['nll']:.3f}."
        )
    return "\n".join(lines)
