"""Exams from a real DICOMweb server: Orthanc, on the loopback of a network of its own."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from data_prep.read.dicomweb import DicomWebSource, _credentials
from data_prep.read.source import open_source
from tests.conftest import CHILD, ROOT, digest, prepare_args, run

PLUGINS = "/usr/share/orthanc/plugins"
PORT = 8042
USER, PASSWORD = "reader", "not a secret"

UPLOAD = """
import pathlib, sys, requests
session = requests.Session()
session.auth = (sys.argv[2], sys.argv[3])
for path in sorted(pathlib.Path(sys.argv[1]).rglob('*.dcm')):
    session.post('http://127.0.0.1:8042/instances', data=path.read_bytes()).raise_for_status()
"""


def reason_to_skip() -> str:
    """Why Orthanc cannot be started here; empty where it can."""
    if not shutil.which("Orthanc") or not os.path.isdir(PLUGINS):
        return "no Orthanc: apt-get install orthanc orthanc-dicomweb"
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return "a network of its own for Orthanc needs root: it would listen on every interface"
    alone = subprocess.run(["unshare", "-n", "true"], capture_output=True)
    return "" if alone.returncode == 0 else "this machine gives no network of its own (unshare -n)"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    """(how to run a command beside the server, the folder of what it holds)."""
    if why := reason_to_skip():
        pytest.skip(why)
    root = tmp_path_factory.mktemp("orthanc")
    run("data_prep.phantom", "--out", str(root / "files"), "--profile", "tiny", "--exams", "3")
    config = {
        "Name": "test",
        "HttpPort": PORT,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "StorageDirectory": str(root / "db"),
        "IndexDirectory": str(root / "db"),
        "Plugins": [PLUGINS],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (root / "orthanc.json").write_text(json.dumps(config))
    server = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", f"ip link set lo up && exec Orthanc {root}/orthanc.json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    beside = ["nsenter", "-t", str(server.pid), "-n"]
    answers = [
        *beside,
        sys.executable,
        "-c",
        "import socket; socket.create_connection(('127.0.0.1', 8042))",
    ]
    try:
        for _ in range(60):
            if subprocess.run(answers, capture_output=True).returncode == 0:
                break
            time.sleep(0.5)
        upload = [*beside, sys.executable, "-c", UPLOAD, str(root / "files/dicom"), USER, PASSWORD]
        subprocess.run(upload, check=True)
        yield beside, root
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"user": USER, "password": PASSWORD}))
    path.chmod(0o600)
    return path


def build(beside, out, dicom: str, root, *more: str, env=None):
    key = root / "key"
    if not key.exists():
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
    more = ("--reports", str(root / "files/reports.csv"), "--key-file", str(key), *more)
    return subprocess.run(
        [*beside, sys.executable, "-m", *prepare_args(out, *more, dicom=dicom)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | CHILD | (env or {}),
    )


def test_a_server_prepares_to_the_bytes_that_its_files_do(orthanc, secret, tmp_path):
    beside, root = orthanc
    spec = f"dicomweb:http://127.0.0.1:{PORT}/dicom-web"
    served = build(beside, tmp_path / "a", spec, root, "--dicomweb-credentials", str(secret))
    assert served.returncode == 0, served.stderr
    assert PASSWORD not in served.stdout + served.stderr
    filed = build([], tmp_path / "b", str(root / "files/dicom"), root)
    assert filed.returncode == 0, filed.stderr
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_a_search_narrows_and_a_wrong_password_is_one_clear_line(orthanc, tmp_path):
    beside, root = orthanc
    spec = f"dicomweb:http://127.0.0.1:{PORT}/dicom-web"
    env = {"CMR_DICOMWEB_USER": USER, "CMR_DICOMWEB_PASSWORD": PASSWORD}
    nobody = build(beside, tmp_path / "a", f"{spec}?PatientID=nobody", root, env=env)
    assert (nobody.returncode, "holds no files" in nobody.stderr) == (2, True)
    refused = build(
        beside, tmp_path / "b", spec, root, env=env | {"CMR_DICOMWEB_PASSWORD": "wrong"}
    )
    assert refused.returncode == 2
    assert "the search for studies failed (HTTPError 401)" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://pacs/dicom-web", "starts with https"),
        ("http://pacs.hospital/dicom-web", "plain http"),
        ("https://me:word@pacs/dicom-web", "no user or password in the URL"),
    ],
)
def test_a_url_that_would_leak_is_refused(url, said):
    with pytest.raises(ValueError, match=said):
        open_source(f"dicomweb:{url}")


def test_credentials_are_the_owners_alone(secret, monkeypatch):
    assert _credentials(str(secret)) == ("", USER, PASSWORD)
    secret.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        open_source("dicomweb:https://pacs/dicom-web", str(secret))
    secret.chmod(0o600)
    secret.write_text("[]")
    with pytest.raises(ValueError, match="JSON with"):
        open_source("dicomweb:https://pacs/dicom-web", str(secret))
    with pytest.raises(ValueError, match="no such file"):
        open_source("dicomweb:https://pacs/dicom-web", str(secret) + "x")
    monkeypatch.setenv("CMR_DICOMWEB_TOKEN", "abc")
    assert _credentials(None) == ("abc", "", "")


def test_the_secret_does_not_travel_with_the_source(secret):
    import pickle

    source = open_source("dicomweb:https://pacs/dicom-web", str(secret))
    assert isinstance(source, DicomWebSource)
    assert source._client is not None  # which reads the secret
    travelling = pickle.dumps(source)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    assert PASSWORD.encode() not in travelling
    assert basic not in travelling
