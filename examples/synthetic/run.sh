#!/usr/bin/env bash
# The paper's synthetic experiments, resumable: run.sh PRESET --dest FOLDER [--seeds N] [--publish]
# PYTHON is the interpreter to use; default: the repository's .venv.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
default="$here/../../.venv/bin/python"
[ -x "$default" ] || default=python3
exec "${PYTHON:-$default}" "$here/experiment.py" "$@"
