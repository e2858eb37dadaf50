"""Who is who, and who is missing: read from launchers' variables, and heard over the line."""

import os
import socket
import sys
import threading
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from cmr_jax import hosts, sharding
from cmr_jax.hosts import launchers, member

# As a Slurm of two nodes sets them (22.05, seen), in `srun -N2 -n4` and in the shell of `salloc`.
IN_SRUN = {
    "SLURM_JOB_ID": "1",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}
IN_SALLOC = IN_SRUN | {
    "SLURM_STEP_ID": "4294967290",
    "SLURM_PROCID": "0",
    "SLURM_STEP_NODELIST": "node1",
    "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_STEP_TASKS_PER_NODE": "1",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("SLURM_", "TPU_", "JAX_COORDINATOR"))]:
        monkeypatch.delenv(name)


def found(monkeypatch, variables: dict[str, str]) -> launchers.Place | None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return launchers.find(None, None, None, 1.0)


def test_without_a_launcher_there_is_one_process_and_nothing_to_wait_for(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("network"))
    hosts.join()
    assert hosts.is_first()
    hosts.barrier("alone", 1.0)
    assert launchers.find(None, None, None, 1.0) is None


def test_slurm_tells_the_place_and_every_host_by_name(monkeypatch):
    place = found(monkeypatch, IN_SRUN)
    names = ("node1", "node1", "node2", "node2")
    assert place == launchers.Place("node1:61441", 4, 1, names, "slurm")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")  # a GPU for each task is in sight of it alone
    assert found(monkeypatch, IN_SRUN).devices == "deactivate"
    monkeypatch.setenv("SLURM_DISTRIBUTION", "cyclic")
    assert found(monkeypatch, IN_SRUN).names == ("node1", None, None, None)


def test_a_shell_in_an_allocation_of_slurm_is_alone(monkeypatch):
    assert found(monkeypatch, IN_SALLOC) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("node7", ["node7"]),
        ("a,b[2-3],c", ["a", "b2", "b3", "c"]),
        ("gpu-[008-010,12].site", ["gpu-008.site", "gpu-009.site", "gpu-010.site", "gpu-12.site"]),
        ("r[1-2]n[0-1]", ["r1n0", "r1n1", "r2n0", "r2n1"]),
    ],
)
def test_lists_of_nodes_are_spelt_out(text, names):
    assert launchers.expand_nodes(text) == names


def test_counts_of_tasks_are_spelt_out():
    assert launchers.expand_counts("4(x2),1") == [4, 4, 1]


def test_tpu_hosts_are_those_that_jax_finds(monkeypatch):
    from jax._src.clusters import cloud_tpu_cluster

    monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "10.0.0.1")
    monkeypatch.setattr(cloud_tpu_cluster, "get_tpu_env_value", os.environ.get)
    pods = {"TPU_WORKER_HOSTNAMES": "t-0.s,t-1.s", "TPU_WORKER_ID": "1"}
    place = found(monkeypatch, pods)
    assert place == launchers.Place("t-0.s:8482", 2, 1, ("t-0.s", "t-1.s"), "deactivate")
    slices = {"MEGASCALE_NUM_SLICES": "2", "MEGASCALE_SLICE_ID": "1"}
    place = found(monkeypatch, slices | {"MEGASCALE_COORDINATOR_ADDRESS": "s0-0.s:9"})
    assert place.coordinator == "s0-0.s:8482"
    assert (place.processes, place.process) == (4, 3)
    assert place.names == (None, None, "t-0.s", "t-1.s")
    assert found(monkeypatch, {"TPU_WORKER_HOSTNAMES": "localhost"} | slices) is not None
    assert found(monkeypatch, {"MEGASCALE_NUM_SLICES": "1", "MEGASCALE_SLICE_ID": "0"}) is None


def test_another_version_of_jax_asks_for_flags(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "jax._src.clusters", None)
    monkeypatch.delattr(jax._src, "clusters", raising=False)
    with caplog.at_level("WARNING", logger="cmr_jax"):
        assert launchers.find(None, None, None, 1.0) is None
    assert "--coordinator=HOST:PORT" in caplog.text


def test_private_names_of_libraries_are_where_they_were():
    """Private names may move with any version; an upgrade then has to wait."""
    from jax._src import clusters

    for kind in ("OmpiCluster", "GkeTpuCluster", "GceTpuCluster"):
        cluster = getattr(clusters, kind)
        assert callable(cluster.is_env_present)
        assert callable(cluster.get_coordinator_address)
    assert hasattr(clusters.GceTpuCluster, "_get_worker_list_in_slice")
    assert hasattr(ocp.CheckpointManager, "_maybe_await_cleanup_tmp_directory")


def test_a_pod_of_a_jobset_knows_how_the_others_are_called(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "cmr-jax-hosts-0-1")
    place = launchers.find("cmr-jax-hosts-0-0.cmr-jax:8476", 3, 1, 1.0)
    assert place.names[2] == "cmr-jax-hosts-0-2.cmr-jax"
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert launchers.find("cmr-jax-hosts-0-0.cmr-jax:8476", 3, 1, 1.0).names[2] is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("h:1", 2, None), "all three of"),
        (("h", 2, 0), "not HOST:PORT"),
        (("h:1", 2, 2), "not one of 0 to 1"),
    ],
)
def test_flags_that_cannot_be_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        launchers.find(*given, 1.0)


class Line:
    """Members of one roll call as threads, and what they said when they were to stop."""

    def __init__(self, monkeypatch, processes: int, names: tuple[str | None, ...] | None = None):
        self.address = f"127.0.0.1:{free_port()}"
        self.processes, self.names = processes, names or (None,) * processes
        self.words, self._told = [], threading.Condition()
        self._met = []
        monkeypatch.setattr(member.Member, "_stop", self._stop)

    def _stop(self, process: int, reason: str) -> None:
        with self._told:
            self.words.append(f"{process} {reason}")
            self._told.notify_all()

    def hears(self, words: str) -> bool:
        with self._told:
            return self._told.wait_for(lambda: any(words in w for w in self.words), 20)

    def meet(self, *who: int, timeout_s: float = 20.0) -> list:
        """A Member for each that came, or the error it got."""
        answers = [None] * len(who)

        def come(at: int, process: int) -> None:
            place = launchers.Place(self.address, self.processes, process, self.names, "")
            try:
                answers[at] = member.Member(place, timeout_s)
            except (TimeoutError, ValueError) as error:
                answers[at] = error

        threads = [threading.Thread(target=come, args=pair) for pair in enumerate(who)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._met += [answer for answer in answers if isinstance(answer, member.Member)]
        return answers

    def end(self) -> None:
        for one in self._met:
            one.close()


@pytest.fixture
def line_of(monkeypatch):
    """Makes Lines, and hangs up after the test."""
    lines = []

    def make(*args) -> Line:
        lines.append(Line(monkeypatch, *args))
        return lines[-1]

    yield make
    for line in lines:
        line.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_who_came_is_told_who_did_not(line_of):
    line = line_of(4, ("a", "b", "c", None))
    answers = line.meet(0, 1, timeout_s=0.3)
    for answer in answers:
        words = r"^process 2 of 4 \(c\), process 3 of 4 did not come within 0.3 s"
        with pytest.raises(TimeoutError, match=words):
            raise answer


def test_that_process_0_did_not_come_is_told_as_well(line_of):
    (answer,) = line_of(2, ("a", "b")).meet(1, timeout_s=0.3)
    with pytest.raises(TimeoutError, match=r"^process 0 of 2 \(a\) did not come .*nothing answers"):
        raise answer


def test_two_that_say_they_are_the_same_are_refused(line_of):
    for answer in line_of(3).meet(0, 1, 1):
        with pytest.raises(TimeoutError, match="two say that they are process 1: "):
            raise answer


def test_processes_that_count_differently_are_refused(line_of):
    line = line_of(2)
    other = line_of(3)
    other.address = line.address
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(other.meet(1)))
    thread.start()
    answers += line.meet(0)
    thread.join()
    for answer in answers:
        with pytest.raises(TimeoutError, match="says process 1 of 3, process 0 that of 2"):
            raise answer


def test_a_stranger_at_the_port_is_no_process(line_of):
    line = line_of(2)
    host, port = line.address.split(":")
    answers = []
    first = threading.Thread(target=lambda: answers.extend(line.meet(0)))
    first.start()
    for words in (b"GET / HTTP/1.1\r\n\r\n", b'"hello"\n', b'{"process": "1"}\n'):
        sock = member.reach(host, int(port), 20.0)
        sock.sendall(words)
        assert sock.recv(1) == b""  # shown out
        sock.close()
    answers += line.meet(1)
    first.join()
    assert [type(answer) for answer in answers] == [member.Member] * 2


def test_a_barrier_opens_when_all_are_here_and_else_names_who_is_not(line_of):
    line = line_of(3)
    zero, one, two = line.meet(0, 1, 2)
    for _ in range(2):  # a name may be met again
        passed = [threading.Thread(target=m.barrier, args=("here", 20.0)) for m in (one, two)]
        for thread in passed:
            thread.start()
        zero.barrier("here", 20.0)
        for thread in passed:
            thread.join()
    with pytest.raises(TimeoutError, match="come to 'here'"):
        zero.barrier("here", 0.1)
    zero._link.send(barrier="there 1")
    name = socket.gethostname()
    with pytest.raises(
        TimeoutError, match=rf"^process 2 of 3 \({name}\) did not come to 'there' within 0.3 s"
    ):
        one.barrier("there", 0.3)
    assert not line.words


def test_bad_news_reach_everyone_and_so_does_silence(line_of):
    line = line_of(2)
    _, one = line.meet(0, 1)
    one.close()  # as the kernel does for a process that was killed
    assert line.hears("1 is gone without a word")
    line = line_of(2)
    _, one = line.meet(0, 1)
    one.fail("failed (ValueError: no data)")
    assert line.hears("1 failed (ValueError: no data)")


@pytest.mark.parametrize("asked", [{1: 7}, {0: 1}, {0: 5, 1: 4, 2: 9}])
def test_all_leave_at_one_call_whoever_is_asked_and_when(line_of, asked):
    line = line_of(3)
    members = line.meet(0, 1, 2)
    left = [0, 0, 0]

    def work(process: int) -> None:
        rng = np.random.default_rng(process)
        for call in range(1, 400):
            if members[process].leaves(call >= asked.get(process, 1000)):
                left[process] = call
                return
            time.sleep(rng.uniform(0, 0.004))

    threads = [threading.Thread(target=work, args=(process,)) for process in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left[0] == left[1] == left[2] >= min(asked.values())
    assert left[0] < 100
    assert all(m.leaves(False) for m in members)  # and so for whatever comes after


def test_who_leaves_in_good_order_is_not_missed(line_of):
    line = line_of(2)
    zero, one = line.meet(0, 1)
    leaving = threading.Thread(target=zero.leave, args=(20.0,))
    leaving.start()
    one.leave(20.0)
    leaving.join()
    one.close()
    time.sleep(0.2)
    assert not line.words


class Device:
    def __init__(self, process_index: int):
        self.process_index = process_index


def shares(processes: list[int], shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Of a mesh of devices that know their process alone."""
    devices = np.array([Device(p) for p in processes], object).reshape(shape)
    mesh = jax.sharding.Mesh(devices, sharding.AXES)
    return [tuple(sharding.share_of(mesh, p)) for p in sorted(set(processes))]


def test_each_process_loads_the_part_that_its_devices_hold():
    two, four = [0, 0, 1, 1], [0, 1, 2, 3]
    assert shares(two, (4, 1, 1)) == [(0, 2), (1, 2)]
    assert shares(two, (1, 4, 1)) == [(0, 2), (1, 2)]
    assert shares(two, (2, 1, 2)) == [(0, 2), (1, 2)]
    assert shares(two, (1, 1, 4)) == [(0, 1), (0, 1)]  # `tensor` over both: the same rows
    assert shares(four, (2, 1, 2)) == [(0, 2), (0, 2), (1, 2), (1, 2)]
    assert shares(four, (1, 2, 2)) == [(0, 2), (0, 2), (1, 2), (1, 2)]
    assert shares([0, 0, 0, 0, 1, 1, 1, 1], (2, 2, 2)) == [(0, 2), (1, 2)]
    assert shares([1, 1, 0, 0], (4, 1, 1)) == [(1, 2), (0, 2)]  # devices in another order


@pytest.mark.parametrize(
    ("processes", "shape"),
    [
        ([0, 1, 0, 1], (4, 1, 1)),  # rows 0 and 2: not one part
        ([0, 0, 0, 1, 1, 1], (3, 1, 2)),  # row 1 lies in both
        ([0, 1, 1, 2], (4, 1, 1)),  # parts of different size
        ([0, 0, 0, 1, 1, 2, 2, 2], (4, 1, 2)),  # parts that overlap
        ([0, 1, 1, 1, 2, 2, 0, 2], (4, 1, 2)),  # two rows each, but of process 0 the first and last
    ],
)
def test_rows_that_no_reader_can_load_as_one_are_refused(processes, shape):
    with pytest.raises(ValueError, match=r"which no reader can load as one. Let mesh.tensor"):
        shares(processes, shape)


def test_one_process_loads_the_whole_batch():
    mesh = jax.make_mesh((2, 2, 2), sharding.AXES)
    assert sharding.share_of(mesh, 0) == (0, 1)
