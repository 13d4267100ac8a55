#!/usr/bin/env bash
# The paper's political speeches, resumable: run.sh PRESET --dest FOLDER [--source PATH|URL] [--seeds N] [--publish]
# SOURCE is the raw data, as --source. PYTHON is the interpreter; default: the repository's .venv.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
default="$here/../../.venv/bin/python"
[ -x "$default" ] || default=python3
exec "${PYTHON:-$default}" "$here/../real/experiment.py" obama "$@"
