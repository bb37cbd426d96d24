#!/usr/bin/env bash
# Sets up .venv where needed and runs the tests in it.
#
#   bash scripts/test.sh [pytest's arguments, paths from the repository's root]
#   bash scripts/test.sh -n 2           in two processes
#   VENV=.other bash scripts/test.sh    in another environment
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${VENV:-.venv}
# Where the installed wheel is to be tested, the environment is there already.
[ -n "${TFMETA_TEST_INSTALLED:-}" ] || bash scripts/setup_venv.sh "$venv" dev,data
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
# -P keeps the working directory off sys.path, so that the installed package is tested.
exec "$venv/bin/python" -P -m pytest "$@"
