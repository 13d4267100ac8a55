"""Packaging; see the Makefile for the order in which a fresh environment is built.

fairseq-fixed compiles against the torch and numpy it finds, so both, and cython, come first and
both packages are installed with ``--no-build-isolation``.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Return the version that fairseq_seqgan/version.py states, without importing torch."""
    text = (ROOT / "fairseq_seqgan" / "version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError("fairseq_seqgan/version.py states no __version__")
    return match.group(1)


def read_readme() -> str:
    """Return the README if there is one."""
    path = ROOT / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


# For the paper's raw data: downloading, cleaning, MIDI.
DATA = [
    "filelock>=3.12",
    "ftfy>=6.1",
    "mido>=1.3",
    "pooch>=1.8",
    "regex>=2023.6",
    "requests>=2.31",  # pooch's HTTP needs it; its exceptions are told apart
    "sentence-splitter>=1.4",
    "tqdm>=4.66",
]

PREPROCESS = {
    "fairseq_seqgan.preprocess": "preprocess",
    "fairseq_seqgan.preprocess.common": "preprocess/common",
}

setup(
    name="fairseq-seqgan",
    version=read_version(),
    description="SeqGAN (Yu et al., 2017) as a fairseq plugin",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    license="MIT",
    # In a wheel preprocess/ takes the place of the module of that name, which leads to it here.
    packages=sorted({*find_packages(include=["fairseq_seqgan", "fairseq_seqgan.*"]), *PREPROCESS}),
    package_dir=PREPROCESS,
    package_data={
        "fairseq_seqgan.reporting": ["templates/*"],
        "fairseq_seqgan.turing": ["*.html", "*.css", "*.js"],  # the page's parts
    },
    python_requires=">=3.11,<3.13",  # tested: 3.11
    install_requires=[
        # The official fairseq 0.12.2 does not import on Python 3.11; this fork of its main does.
        "fairseq-fixed==0.12.3.1",
        "jinja2>=3.1",
        "matplotlib>=3.7",
        "mido>=1.3",
        # fairseq needs np.compat, which numpy 2 removed. Tested: 1.26.4.
        "numpy>=1.24,<2",
        "omegaconf>=2.1",
        "pandas>=2.1",
        "pyyaml>=6",
        "sacrebleu>=2.3",
        "sacremoses>=0.1",
        "scikit-learn>=1.3",
        "scipy>=1.11",
        "sentencepiece>=0.2",
        "statsmodels>=0.14.5",
        "tabulate>=0.9",
        "tqdm>=4.66",
        # 2.6 is the first torch whose torch.load defaults to weights_only. Tested: 2.13.0.
        "torch>=2.6",
    ],
    extras_require={
        "data": DATA,
        "dev": [
            *DATA,
            "import-linter>=2.0",
            "markdown-it-py>=3",
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.5,<10",
            "mkdocstrings[python]>=0.27",
            "mypy>=1.11",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
            "selenium>=4.20",
            "tensorboard>=2.16",
            "tensorboardX>=2.6",
        ],
    },
    entry_points={"console_scripts": ["fairseq-seqgan = fairseq_seqgan.cli:main"]},
)
