"""Another engine, several processes, no shared file system: the same bytes."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from data_prep import build, workshop
from data_prep.exchange import UNFINISHED, CloudExchange, LocalExchange
from data_prep.phantom.__main__ import main as write_phantom
from tests.conftest import CHILD, ROOT, digest, prepare, prepare_args

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as c:
        print(c.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def s3(monkeypatch) -> Iterator[str]:
    """A bucket of an S3 server on the loopback, named to boto3 as to any child process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    account["AWS_DEFAULT_REGION"] = "us-east-1"
    for name, value in (account | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}).items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="site")
    yield "s3://site"
    S3FileSystem().rm("site", recursive=True)
    S3FileSystem.clear_instance_cache()  # the next server is another
    server.stop()


def objects() -> list[str]:
    """Names of what lies in the bucket."""
    return [o["Key"] for o in boto3.client("s3").list_objects_v2(Bucket="site").get("Contents", [])]


@pytest.fixture
def cluster(s3, tmp_path):
    """The address of a Dask cluster of two processes, which know the bucket."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
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
    there = pathlib.Path(os.path.relpath(tmp_path / "there", ROOT))
    prepare(there, *flags, dicom=few)
    assert digest(tmp_path / "there") == digest(tmp_path / "here")


def test_a_folder_that_fills_while_it_is_listed_is_no_name_of_its_own(monkeypatch):
    class Listing:
        def find(self, path):
            return [path, f"{path}/a-1"]  # as s3fs has it, where its first listing was empty

    monkeypatch.setattr("data_prep.exchange.connect", lambda root: (Listing(), "bucket/work"))
    assert CloudExchange("s3://bucket/work").names("notes/x") == ["notes/x/a-1"]


def test_workers_that_share_only_a_cloud_write_the_same_bytes(cluster, s3, tmp_path):
    write_phantom(["--out", str(tmp_path), "--profile", "tiny", "--exams", "2"])
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    same = ("--key-file", str(key), "--reports", str(tmp_path / "reports.csv"))
    prepare(tmp_path / "here", *same, dicom=str(tmp_path / "dicom"))
    for path in (tmp_path / "dicom").rglob("*.dcm"):
        name = f"export/{path.relative_to(tmp_path)}"
        boto3.client("s3").upload_file(str(path), "site", name)
    before = objects()
    flags = ("--runner=DaskRunner", f"--dask_client_address={cluster}", "--dask_npartitions=4")
    flags += ("--exchange", f"{s3}/private")
    prepare(tmp_path / "there", *same, *flags, dicom=f"{s3}/export/dicom")
    assert digest(tmp_path / "there") == digest(tmp_path / "here")
    assert objects() == before  # nothing of an exam stays behind


@pytest.fixture(params=["here", "cloud"])
def exchange(request, tmp_path):
    if request.param == "here":
        return LocalExchange(tmp_path / "work")
    return CloudExchange(f"{request.getfixturevalue('s3')}/work")


def test_an_exchange_gives_back_what_it_was_given(exchange, tmp_path):
    assert exchange.names("plans") == []
    exchange.put("plans/ab/1", b"one")
    exchange.put("plans/ab/1", b"two")
    exchange.put("orders/2.gz", b"not compressed")
    assert exchange.get("plans/ab/1") == b"two"
    assert exchange.get("orders/2.gz") == b"not compressed"
    assert exchange.names("plans") == ["plans/ab/1"]
    for _ in range(2):
        exchange.fetch("plans/ab/1", tmp_path / "deep" / "file")
    assert (tmp_path / "deep" / "file").read_bytes() == b"two"
    exchange.remove(["plans/ab/1"])
    assert exchange.names("plans") == []
    exchange.clear()
    assert exchange.names("orders") == []
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["file"]


def test_what_was_not_finished_has_no_name(exchange):
    exchange.put("shards/whole", b"")
    exchange.put(f"shards/killed{UNFINISHED}", b"")  # what a process that is killed leaves

    def stopped():
        with exchange.writing("shards/half") as path:
            path.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert exchange.names("shards") == ["shards/whole"]


def test_a_stopped_build_finds_its_exchange_in_the_cloud_again(s3, tmp_path):
    out = tmp_path / "data"

    def stopped():
        with workshop.enter(out, s3) as exchange:
            exchange.put(f"{workshop.RESULTS}/1", b"done")
            exchange.put(f"{workshop.PLANS}/1", b"to be made anew")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with workshop.enter(out) as exchange:
        assert exchange.get(f"{workshop.RESULTS}/1") == b"done"
        assert exchange.names(workshop.PLANS) == []
    assert objects() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [("/tmp/x", "a folder in a cloud"), ("nowhere://x", "Protocol not known: nowhere")],
)
def test_an_exchange_that_is_no_cloud_is_refused(given, said, tmp_path, capsys):
    few = "phantom:tiny:exams=2"
    assert build.main(prepare_args(tmp_path / "out", "--exchange", given, dicom=few)[1:]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []  # before any work
