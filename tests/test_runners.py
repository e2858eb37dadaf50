"""Another engine, several processes, the same bytes."""

import os
import subprocess
import sys

import pytest

from tests.conftest import CHILD, ROOT, digest, prepare

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as c:
        print(c.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(tmp_path):
    """The address of a Dask cluster of two processes."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=ROOT,
        env=os.environ | CHILD | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.communicate("", timeout=60)


def test_a_dask_cluster_of_two_processes_writes_the_same_bytes(cluster, tmp_path):
    few = "phantom:tiny:exams=8"
    prepare(tmp_path / "here", dicom=few)
    flags = ("--runner=DaskRunner", f"--dask_client_address={cluster}", "--dask_npartitions=4")
    prepare(tmp_path / "there", *flags, dicom=few)
    assert digest(tmp_path / "there") == digest(tmp_path / "here")
