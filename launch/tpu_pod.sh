#!/usr/bin/env bash
# Trains on every host of a TPU pod slice.  Run on one machine with gcloud set up:
#   launch/tpu_pod.sh NAME ZONE --config=configs/base.py --config.data.path=gs://... --workdir=gs://...
# The hosts need this repository and `pip install -e .[tpu]` in ~/cmr_jax (same commit everywhere).
set -euo pipefail
name=$1 zone=$2
shift 2
# JAX finds its peers from the TPU metadata; the variable asks the program to join them.
gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all \
  --command="cd ~/cmr_jax && JAX_COORDINATOR_ADDRESS=auto python -m cmr_jax.train $(printf '%q ' "$@")"
