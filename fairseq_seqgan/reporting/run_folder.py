"""What a run folder is made of: the names of its files, and the words that run.json may use.

``docs/run-folders.md`` describes the format. Whatever writes run folders imports these constants;
this module imports nothing.
"""

FORMAT = 1  # of run.json

RUN = "run.json"  # what was run
METRICS = "metrics.json"  # what ``fairseq-seqgan evaluate --json`` wrote
SCORES = "scores.npz"  # what ``fairseq-seqgan evaluate --per-sample`` wrote
LOG = "train.log"  # of fairseq-train, if the run holds a training

KINDS = ("oracle", "real", "baseline", "system", "control")

LAST, BEST = "last", "best-on-validation"
SELECTIONS = (LAST, BEST)  # which checkpoint of a training

PRETRAINING, FINE_TUNING = "pre-training", "fine-tuning"
PHASES = (PRETRAINING, FINE_TUNING)  # of a training

LARGEST = 1e100  # of any number: sums and squares of more would not be finite
