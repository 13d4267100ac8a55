"""From raw data to the folders that ``fairseq-train`` reads: what ``preprocess/`` holds.

In a clone that folder stands beside this package. A wheel holds it here, in place of this file
(``setup.py``). So ``fairseq_seqgan.preprocess`` is its name everywhere.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "preprocess")]
