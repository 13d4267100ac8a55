"""No file that somebody else has made is run: rules over the source (helpers/source_rules.py)."""

from pathlib import Path

import pytest
from helpers.commands import REPO
from helpers.source_rules import violations

FOLDERS = ("fairseq_seqgan", "preprocess", "examples", "benchmarks", "docs")
FILES = sorted(path for folder in FOLDERS for path in (REPO / folder).rglob("*.py"))
UNPICKLER = REPO / "fairseq_seqgan" / "oracle" / "parameters.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPO)))
def test_source(path: Path):
    assert violations(path.read_text(encoding="utf-8"), unpickler=path == UNPICKLER) == []


def test_all_of_the_source_is_looked_at():
    assert len(FILES) > 150 and UNPICKLER in FILES


REFUSED = [
    "import torch\ntorch.load(path)",
    "import torch as t\nt.load(path, weights_only=False)",
    "from torch import load\nload(path, map_location='cpu')",
    "import torch\ntorch.load(path, weights_only=flag)",
    "import pickle",
    "from pickle import loads",
    "import shelve as s",
    "import pandas as pd\npd.read_pickle(path)",
    "eval(text)",
    "exec(text)",
    "import builtins\nbuiltins.eval(text)",
    "frame.eval(text)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
    "import yaml\nyaml.unsafe_load(text)",
    "from yaml import full_load\nfull_load(text)",
    "import yaml\nyaml.compose(text)",
    "import yaml\nyaml.parse(text, Loader=yaml.UnsafeLoader)",
    "import subprocess\nsubprocess.run(command, shell=True)",
    "run(command, shell=flag)",
    "import os\nos.system(command)",
    "archive.extractall(folder)",
    "import shutil\nshutil.unpack_archive(path)",
    "try:\n    work()\nexcept:\n    pass",
    "try:\n    work()\nexcept BaseException:\n    pass",
    "import numpy as np\nnp.load(path)",
    "import numpy as np\nnp.load(path, allow_pickle=True)",
    "from numpy import load\nload(path)",
    "import numpy as np\nnp.lib.format.read_array(file, allow_pickle=True)",
]
ALLOWED = [
    "import torch\ntorch.load(path, map_location='cpu', weights_only=True)",
    "from pickle import UnpicklingError",
    "model.eval()",
    "import yaml\nyaml.safe_load(text)\nyaml.parse(text, Loader=yaml.SafeLoader)",
    "import subprocess\nsubprocess.run(command, shell=False)",
    "import numpy as np\nnp.load(path, allow_pickle=False)",
    "try:\n    work()\nexcept BaseException:\n    clean()\n    raise",
    "try:\n    work()\nexcept Exception as error:\n    tell(error)",
]


@pytest.mark.parametrize("source", REFUSED)
def test_refused(source):
    assert violations(source)


@pytest.mark.parametrize("source", ALLOWED)
def test_allowed(source):
    assert violations(source) == []


def test_the_one_unpickler():
    """It must say itself which classes it finds, and nothing else of pickle is used beside it."""
    good = "import pickle\nclass U(pickle.Unpickler):\n    def find_class(self, m, n): raise"
    assert violations(good, unpickler=True) == []
    assert violations(good)
    assert violations("import pickle\nclass U(pickle.Unpickler): pass", unpickler=True)
    assert violations("import pickle\npickle.loads(content)", unpickler=True)
