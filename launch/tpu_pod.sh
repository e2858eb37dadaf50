#!/usr/bin/env bash
# Trains on every host of a TPU pod slice.  Run on one machine with gcloud set up:
#   launch/tpu_pod.sh NAME ZONE --config=configs/base.py --config.data.path=DATA --workdir=RUN
# On the hosts, this repository is in ~/cmr_jax (the same commit everywhere), installed by
# `pip install -e .[tpu]`; PYTHON=... names another Python there.  DATA and RUN lie where all hosts
# see them: a Filestore, or a bucket under Cloud Storage FUSE.  The hosts find each other through
# the TPU's metadata; where one fails, all end, and the same command goes on.
set -euo pipefail
name=${1:?the name of the TPU} zone=${2:?its zone}
shift 2
gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all \
  --command="cd ~/cmr_jax && ${PYTHON:-python3} -m cmr_jax.train $(printf '%q ' "$@")"
