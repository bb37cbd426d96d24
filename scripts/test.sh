#!/usr/bin/env bash
# Sets up .venv where needed and runs the tests in it.
#
#   bash scripts/test.sh [pytest's arguments, paths from the repository's root]
#   bash scripts/test.sh -n 2           in two processes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup_venv.sh .venv dev,data
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
exec .venv/bin/python -m pytest "$@"
