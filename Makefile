# Everything from a fresh clone: the first of `make demo`, `make test`, ... builds .venv.
#
# On Linux the plain torch wheel brings the CUDA libraries, several gigabytes. Without a GPU:
#   make TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu" test
PYTHON ?= python3
TORCH ?= torch==2.13.0
SEED ?= 1
export SEED

override VENV := .venv
BIN := $(VENV)/bin
# Holds the folder it was made in: an environment does not survive a move.
STAMP := $(VENV)/.installed
# There while the environment is being built: found at the start, it means "half built".
UNFINISHED := $(VENV)/.unfinished
# Only an environment that this Makefile has built, whole or half.
REMOVE_VENV := if [ -e $(STAMP) ] || [ -e $(UNFINISHED) ]; then rm -rf $(VENV); fi
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv check-system demo test lint docs bench clean moved

help:
	@echo "make demo   train on data of a small oracle, end to end (SEED=$(SEED))"
	@echo "make test   run the tests"
	@echo "make lint   check style, formatting, types, and who imports whom"
	@echo "make docs   build the documentation site in build/site"
	@echo "make bench  measure the speed figures"
	@echo "make venv   only build $(VENV), as the others do when it is missing or out of date"
	@echo "make clean  remove $(VENV), caches and the demo's output; your data and checkpoints stay"
	@echo "Variables: PYTHON=$(PYTHON)  TORCH=\"$(TORCH)\"  SEED=$(SEED)"

demo: $(STAMP)
	PYTHON=$(BIN)/python examples/demo/run.sh

# Many tests are commands of their own: files side by side, and one thread for each process.
test: $(STAMP)
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=1000 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m mypy
	for folder in examples benchmarks; do \
		MYPYPATH=$$folder $(BIN)/python -m mypy --explicit-package-bases $$folder || exit 1; done

# A warning is an error (mkdocs.yml). mkdocs clears build/site first.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/tables.py

# A folder is removed only if it holds what says that a program made it: a folder of yours that
# has such a name stays.
clean:
	@$(REMOVE_VENV)
	@if grep -qs '^  "seed":' demo/experiment.json; then rm -rf demo; fi
	@if [ -e build/site/search/search_index.json ]; then rm -rf build/site; fi
	@for folder in .mypy_cache .pytest_cache .ruff_cache; do \
		if [ -e $$folder/CACHEDIR.TAG ]; then rm -rf $$folder; fi; done
	rm -rf fairseq_seqgan.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(STAMP)

# Torch first: fairseq-fixed is compiled against it, and with pip's build isolation a second,
# newest torch would be downloaded just for that.
$(STAMP): setup.py requirements-build.txt
	@$(MAKE) --no-print-directory check-system
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -c "" 2>/dev/null || \
		{ [ -e $@ ] && [ "$$(cat $@)" != "$(CURDIR)" ]; }; then $(REMOVE_VENV); fi
	@mkdir -p $(VENV) && touch $(UNFINISHED)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install $(TORCH)
	$(PIP) install -r requirements-build.txt
	$(PIP) install --no-build-isolation fairseq-fixed==0.12.3.1
	$(PIP) install --no-build-isolation -e ".[dev]"
	$(PIP) check
	@rm $(UNFINISHED) && echo "$(CURDIR)" > $@

ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): moved
endif

# Each failure is one line that says what to do.
check-system:
	@fail() { echo "error: $$1" >&2; exit 1; }; \
	command -v $(PYTHON) >/dev/null || fail "no '$(PYTHON)' here: apt install python3, or give make PYTHON=/path/to/python3.11"; \
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))" || \
		fail "Python 3.11 or 3.12 is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1): give make PYTHON=python3.11"; \
	$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || \
		fail "$(PYTHON) cannot make virtual environments: apt install python3-venv"; \
	$(PYTHON) -c "import os, sysconfig; open(os.path.join(sysconfig.get_path('include'), 'Python.h')).close()" 2>/dev/null || \
		fail "the headers of $(PYTHON) (Python.h) are missing: apt install python3-dev"; \
	command -v c++ >/dev/null && command -v cc >/dev/null || \
		fail "no C++ compiler, which fairseq's extensions need: apt install build-essential"
