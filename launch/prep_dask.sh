#!/usr/bin/env bash
# Prepares on a Dask cluster that is running already (under Slurm, on workstations, anywhere):
#   launch/prep_dask.sh tcp://SCHEDULER:8786 --dicom EXPORT --reports REPORTS --site NAME \
#     --key-file KEY --out DATA
# The workers run in this environment.  EXPORT and DATA lie on a file system that all see under the
# same path; or EXPORT lies in a cloud, and --exchange=s3://PRIVATE/FOLDER names where else all can
# meet.
set -euo pipefail
scheduler=${1:?the address of the Dask scheduler}
shift
exec python -m data_prep.build --runner=DaskRunner --dask_client_address="$scheduler" "$@"
