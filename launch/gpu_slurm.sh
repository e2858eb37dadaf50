#!/usr/bin/env bash
# Trains with one process per GPU under Slurm:
#   sbatch --nodes=2 --gpus-per-node=4 --ntasks-per-node=4 launch/gpu_slurm.sh \
#     --config=configs/base.py --config.data.path=DIR --workdir=DIR
#SBATCH --job-name=cmr_jax
#SBATCH --cpus-per-task=8
set -euo pipefail
# JAX reads the number of processes and its own rank from Slurm's variables.
srun --kill-on-bad-exit=1 python -m cmr_jax.train "$@"
