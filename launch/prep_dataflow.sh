#!/usr/bin/env bash
# Prepares on Google's Dataflow:
#   launch/prep_dataflow.sh PROJECT REGION gs://PRIVATE/FOLDER IMAGE --dicom gs://EXPORT \
#     --reports REPORTS --site NAME --key-file KEY --out DATA
# Plans with identifiers in them, and shards on their way to DATA, lie in gs://PRIVATE/FOLDER until
# the build is done: a bucket that none but this project's people can read, without versions or
# soft deletion.  IMAGE is made by launch/prep.Dockerfile; this side needs cmr_jax[prep,cloud] too.
# The key stays here and REPORTS are read here: of both, workers get pseudonyms and scrubbed text.
set -euo pipefail
project=${1:?the project} region=${2:?the region}
private=${3:?a private folder, gs://...} image=${4:?the image of the workers}
shift 4
exec python -m data_prep.build --runner=DataflowRunner --project="$project" --region="$region" \
  --temp_location="$private/beam" --sdk_container_image="$image" --experiments=use_runner_v2 \
  --exchange="$private" "$@"
