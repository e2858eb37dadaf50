#!/usr/bin/env bash
# Prepares on a Spark cluster through Beam's portable runner:
#   launch/prep_spark.sh spark://MASTER:7077 --dicom EXPORT --reports REPORTS --site NAME \
#     --key-file KEY --out DATA
# Needs Java for Beam's job server, which Beam fetches when it runs first, and on every node
#   python -m apache_beam.runners.worker.worker_pool_main --service_port=50000
# in this environment.  EXPORT and DATA lie on a file system that all nodes see under one path; or
# EXPORT lies in a cloud, and --exchange=s3://PRIVATE/FOLDER names where else all can meet.
set -euo pipefail
master=${1:?the address of the Spark master}
shift
exec python -m data_prep.build --runner=SparkRunner --spark_master_url="$master" \
  --environment_type=EXTERNAL --environment_config=localhost:50000 "$@"
