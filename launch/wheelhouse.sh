#!/usr/bin/env bash
# For machines without internet.  On one with it, of the same Python and kind of machine:
#   launch/wheelhouse.sh download WHEELS [gpu|tpu]
# fetches every wheel of requirements.lock, and of the extra, into the folder WHEELS.  Then, where
# WHEELS and this repository have been carried:
#   launch/wheelhouse.sh install WHEELS VENV [gpu|tpu]
# makes the environment VENV from them alone.  PYTHON=... names the Python.
set -euo pipefail
mode=${1:?download or install} wheels=${2:?the folder of wheels}
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
case $mode in
  download)
    mkdir -p "$wheels"
    extra=${3:+[$3]}
    "$python" -m pip wheel --wheel-dir "$wheels" -r requirements.lock
    # What the extra adds, and this package itself, at the versions of the lock.
    "$python" -m pip wheel --wheel-dir "$wheels" --find-links "$wheels" -c requirements.lock ".$extra"
    ;;
  install)
    venv=${3:?the environment to make}
    extra=${4:+[$4]}
    "$python" -m venv "$venv"
    offline=("$venv/bin/python" -m pip install --no-index --find-links "$wheels")
    "${offline[@]}" -r requirements.lock
    "${offline[@]}" -c requirements.lock "cmr_jax$extra"
    ;;
  *)
    echo "wheelhouse.sh: what is $mode? There are download and install." >&2
    exit 2
    ;;
esac
