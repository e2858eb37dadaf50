#!/usr/bin/env bash
# Trains on GPUs under Slurm, one process per GPU, on as many nodes as you ask for:
#   sbatch --nodes=2 --gpus-per-node=4 --ntasks-per-node=4 launch/gpu_slurm.sh \
#     --config=configs/base.py --config.data.path=DATA --workdir=RUN
# DATA and RUN lie on a file system that all nodes share.  A job that is preempted, or whose time is
# nearly up, is asked to leave, saves (exit code 75), goes back into the queue and on from there.
# IMAGE=cmr_jax.sif in the environment runs it in Apptainer (launch/train.def makes the image);
# BIND=/scratch,/data says what the image sees besides your home; PYTHON names another Python.
#SBATCH --job-name=cmr_jax
#SBATCH --cpus-per-task=8
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
set -euo pipefail
command=("${PYTHON:-python}" -m cmr_jax.train "$@")
if [[ -n ${IMAGE:-} ]]; then
  command=(apptainer exec --nv --pwd "$PWD" ${BIND:+--bind "$BIND"} "$IMAGE" "${command[@]}")
fi
asked=
trap 'asked=1; echo "time is nearly up: asked to save and leave" >&2
      scancel --signal=TERM "$SLURM_JOB_ID"' USR1  # the steps, not this script
# srun does not take this from sbatch by itself.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-8}
# Every process sees all GPUs of its node and takes the one of its rank.
srun --kill-on-bad-exit=1 --gpu-bind=none "${command[@]}" &
started=$!
while kill -0 "$started" 2>/dev/null; do  # a trapped signal ends `wait`, not srun
  wait "$started" || true
done
code=0
wait "$started" || code=$?  # bash remembers how it ended, however soon that was
if [[ $code == 75 || ( -n $asked && $code != 0 ) ]]; then
  echo "back into the queue" >&2
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
