#!/usr/bin/env bash
# Makes a virtual environment that runs this checkout (an editable install), or does
# nothing where one is there already.
#
#   bash scripts/setup_venv.sh [VENV [EXTRAS]]        default: .venv data
#   PYTHON=/path/to/python3.12 bash scripts/setup_venv.sh     chooses the interpreter
#
# VENV/.tfmeta-setup says how far it got: "OWNER STATE EXTRAS". OWNER is `made` where
# this script made the environment and may delete it, `found` where somebody else did;
# STATE is `busy` while packages are being installed, then a checksum of what they
# were installed from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
extras=${2:-data}
record=$venv/.tfmeta-setup

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
    # Run it: a version manager's shim can be on PATH and still not work.
    if "$candidate" -c "import ensurepip, venv; $supported" >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

checksum() {
  {
    cat pyproject.toml setup.py
    grep __version__ tfmeta/__init__.py
    pwd
    "$venv/bin/python" -V
  } | cksum | tr ' ' '-'
}

has_all() { # has_all HAVE WANT: is every extra of WANT in HAVE?
  local extra
  for extra in ${2//,/ }; do
    [[ ,$1, == *,$extra,* ]] || return 1
  done
}

# One set-up at a time; the lock goes with the process.
if command -v flock >/dev/null; then
  exec 9<pyproject.toml
  flock -n 9 || { say "waiting for another set-up to end"; flock 9; }
fi

owner=found state='' have=''
if [ -f "$record" ]; then read -r owner state have <"$record" || true; fi

runs() { (cd / && "$venv/bin/python" -c "$1") >/dev/null 2>&1; }

# An environment that is whole, complete and from these very files: done.
find_tfmeta='import importlib.util; sys.exit(importlib.util.find_spec("tfmeta") is None)'
if [ -n "$state" ] && [ "$state" != busy ] && has_all "$have" "$extras" &&
  runs "import sys; $find_tfmeta" && [ "$state" = "$(checksum)" ]; then
  exit 0
fi

if [ -e "$venv" ]; then
  if [ "$owner" = made ] && [ "$state" = busy ]; then
    say "an earlier set-up of $venv was cut short; starting again"
    rm -rf "$venv"
  elif ! runs "import pip; $supported"; then
    [ "$owner" = made ] || fail "$venv is there, but is no working environment of \
Python 3.11 to 3.13 with pip: move it out of the way and run this again."
    say "$venv does not run any more; making it again"
    rm -rf "$venv"
  fi
fi

if [ ! -e "$venv" ]; then
  python=$(find_python) || fail "no working Python 3.11, 3.12 or 3.13 with the venv \
module (tried: ${PYTHON:-python3.11 python3.12 python3.13 python3 python}); install \
one, or set PYTHON to its path."
  say "making $venv with $("$python" -V)"
  owner=made have=''
  mkdir -p "$venv"
  echo "made busy" >"$record"
  "$python" -m venv "$venv"
fi

for extra in ${have//,/ }; do
  has_all "$extras" "$extra" || extras+=,$extra
done
say "installing tfmeta[$extras] into $venv (minutes, the first time)"
echo "$owner busy $have" >"$record"
"$venv/bin/python" -m pip install -q --no-input --disable-pip-version-check \
  -e ".[$extras]" || fail "pip could not install tfmeta[$extras]; its reasons are above."
echo "$owner $(checksum) $extras" >"$record"
say "$venv is ready"
