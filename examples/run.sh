#!/usr/bin/env bash
# Runs the experiment of the folder that this file is called in; each folder has a link to it:
#   examples/poem/run.sh PRESET --dest FOLDER [--seeds N] [--publish]
# PYTHON is the interpreter; default: the repository's .venv.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
default="$here/../../.venv/bin/python"
[ -x "$default" ] || default=python3
exec "${PYTHON:-$default}" "$here/../run.py" "$here" "$@"
