"""What a head and a node take while nobody uses them: `python -m bench.idle` shows it, with narrower bars."""

import time
from collections import Counter
from pathlib import Path

import psutil

from tests.cluster.inspection import called, marked, until
from tests.cluster.started import Machine

MEMORY_BYTES = 100e6
"""In all: 70 MB, or 150 where each process has imported for itself what it needs."""

SECONDS = 2.0
CPU = 0.1
"""Of a core, in all: ten times what is promised."""


def test_a_head_and_a_node_that_nobody_uses_take_little(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        address = machine.start_head("--dashboard-port", "0", "--num-cpus", "1")
        machine.join(address, "--num-cpus", "1")
        processes = [psutil.Process(pid) for pid in marked(machine.mark)]
        names = Counter(called(process.pid) for process in processes)
        supervisors = machine.supervisors()
        for pid in supervisors:
            names.subtract([called(pid)])
        assert +names == Counter({"raysim-node": 2, "raysim-forks": 2, "raysim-gcs": 1})
        assert len(supervisors) == 2

        def used() -> float:
            return float(sum(process.memory_full_info().pss for process in processes))

        assert until(lambda: used() < MEMORY_BYTES), used()
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        time.sleep(SECONDS)
        after = sum(sum(process.cpu_times()[:2]) for process in processes)
        assert after - before < CPU * SECONDS
        assert machine.raysim("stop").stdout == "Ended 2 nodes.\n"
        machine.assert_nothing_left()


def test_the_processes_of_a_started_node_are_told_by_their_session(tmp_path: Path) -> None:
    """They are forks of one program, whose command line would be theirs."""
    with Machine(tmp_path) as machine:
        machine.start_head("--no-dashboard", "--num-cpus", "1")
        (supervisor,) = machine.supervisors()
        (folder,) = machine.temporary.glob("raysim-*/gcs.log")
        session = folder.parent.name.removeprefix("raysim-")
        said = {
            Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()
            for pid in marked(machine.mark)
            if pid != supervisor
        }
        assert said == {f"raysim-node {session}", f"raysim-gcs {session}"}
        own = Path(f"/proc/{supervisor}/cmdline").read_bytes().split(b"\0")
        assert own[-5:-1] == [b"64MiB", b"--no-dashboard", b"--num-cpus", b"1"]
