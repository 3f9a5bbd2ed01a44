"""Programs on real processes: that code really runs elsewhere, and values really move through shared memory."""

import gc
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import raysim as ray
from raysim.exceptions import RayActorError, RayError, WorkerCrashedError
from raysim.journal import Journal, NodeJoined, TaskEnded
from raysim.runtime.current import current
from tests.cluster.inspection import interrupt_when_blocked, processes_of, until

np = pytest.importorskip("numpy")

Start = Callable[..., Any]


@ray.remote
def pid() -> int:
    return os.getpid()


@ray.remote
def double(x: int) -> int:
    return 2 * x


def test_tasks_run_in_other_processes_in_parallel(start: Start) -> None:
    start(num_cpus=2)

    @ray.remote
    def meet(mine: str, other: str) -> int:
        open(mine, "w").close()
        while not os.path.exists(other):
            time.sleep(0.005)
        return os.getpid()

    folder = ray.init(ignore_reinit_error=True).address_info["session_dir"]
    one, two = f"{folder}/one", f"{folder}/two"
    pids = ray.get([meet.remote(one, two), meet.remote(two, one)], timeout=30)
    assert len({*pids, os.getpid()}) == 3


def test_a_thousand_tasks(start: Start) -> None:
    start()
    assert ray.get([double.remote(i) for i in range(1_000)]) == [2 * i for i in range(1_000)]


def test_tasks_of_tasks_do_not_need_a_cpu_each(start: Start) -> None:
    """Whoever waits lends its CPU on: a chain deeper than the node has CPUs ends."""
    start(num_cpus=1)

    @ray.remote
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + ray.get(depth.remote(n - 1))

    assert ray.get(depth.remote(4), timeout=60) == 4


def test_an_actor_keeps_its_state_and_the_order_of_calls(start: Start) -> None:
    start()

    @ray.remote
    class Log:
        def __init__(self) -> None:
            self.lines: list[int] = []

        def add(self, line: int) -> int:
            self.lines.append(line)
            return os.getpid()

        def all(self) -> list[int]:
            return self.lines

    log = Log.remote()
    pids = ray.get([log.add.remote(i) for i in range(500)])
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()
    assert ray.get(log.all.remote()) == list(range(500))


def test_a_large_array_is_read_where_it_lies(start: Start) -> None:
    start()
    array = np.arange(2_000_000, dtype=np.float64)
    ref = ray.put(array)
    one, two = ray.get(ref), ray.get(ref)
    assert not one.flags.writeable
    assert not one.flags.owndata
    assert one.__array_interface__["data"][0] == two.__array_interface__["data"][0]
    np.testing.assert_array_equal(one, array)

    @ray.remote
    def total(values: Any) -> tuple[float, bool]:
        return float(values.sum()), bool(values.flags.writeable)

    assert ray.get(total.remote(ref)) == (float(array.sum()), False)


def test_a_large_result_comes_back_through_shared_memory(start: Start) -> None:
    start()

    @ray.remote
    def make(n: int) -> Any:
        return np.full(n, 7, dtype=np.int32)

    result = ray.get(make.remote(1_000_000))
    assert not result.flags.owndata
    assert result.sum() == 7_000_000


def test_an_array_outlives_its_references_and_the_session(start: Start) -> None:
    start()
    array = ray.get(ray.put(np.arange(500_000)))
    for _ in range(20):  # More than the store holds: what is free is used again.
        ray.put(np.zeros(1_000_000))
    assert array[-1] == 499_999
    ray.shutdown()
    assert array[-1] == 499_999


def test_the_store_is_used_again_when_references_are_gone(start: Start) -> None:
    start(object_store_memory=32 << 20)
    for number in range(40):
        assert ray.get(ray.put(np.full(1_000_000, number, dtype=np.int64)))[0] == number


def test_several_threads_of_the_driver_wait_at_once(start: Start) -> None:
    start()
    results: list[int] = []

    def work(base: int) -> None:
        results.extend(ray.get(double.remote(base + i), timeout=60) for i in range(30))

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(results) == sorted(2 * (100 * n + i) for n in range(4) for i in range(30))


def test_a_worker_that_computes_still_serves_what_it_owns(start: Start, tmp_path: Path) -> None:
    """Its helper answers while user code has the main thread."""
    start(num_cpus=2)
    enough = tmp_path / "enough"

    @ray.remote
    class Busy:
        def make(self) -> Any:
            return [ray.put(b"x" * 10)]

        def spin(self) -> None:
            while not enough.exists():
                pass

    busy = Busy.remote()
    (ref,) = ray.get(busy.make.remote())
    spinning = busy.spin.remote()
    assert ray.get(ref, timeout=60) == b"x" * 10
    enough.touch()
    ray.get(spinning)


def test_what_a_task_prints_is_shown_with_whose_it_is(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    start()

    @ray.remote
    def say() -> None:
        print("said by a worker")
        os.system("echo said by its child")

    ray.get(say.remote())
    said = r"\(say pid=\d+\) said by a worker\nsaid by its child\n"
    assert re.fullmatch(said, capfd.readouterr().out)


def test_what_workers_print_is_in_files_too(start: Start) -> None:
    context = start(num_cpus=1, log_to_driver=False)

    @ray.remote
    def say() -> str:
        print("said by a worker")
        os.system("echo said by its child")
        return ray.get_runtime_context().get_worker_id()

    worker_id = ray.get(say.remote())
    node = context.address_info["node_id"][:12]
    folder = Path(context.address_info["session_dir"], f"node-{node}")
    [file] = folder.glob(f"worker-{worker_id}-*.out")
    assert file.read_text() == "said by a worker\nsaid by its child\n"


def test_a_killed_worker_is_replaced_and_its_task_runs_again(start: Start) -> None:
    context = start(num_cpus=1)
    marker = f"{context.address_info['session_dir']}/ran"

    @ray.remote
    def die_once() -> int:
        if not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    assert ray.get(die_once.remote(), timeout=60) > 0
    assert os.path.exists(marker)


def test_a_task_that_always_kills_its_worker_ends_in_an_error(start: Start) -> None:
    start(num_cpus=1)

    @ray.remote(max_retries=1)
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerCrashedError):
        ray.get(die.remote(), timeout=60)
    assert ray.get(double.remote(4), timeout=60) == 8


def test_a_killed_actor_is_restarted_in_another_process(start: Start) -> None:
    start()

    @ray.remote(max_restarts=1, max_task_retries=-1)
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def up(self) -> tuple[int, int]:
            self.count += 1
            return self.count, os.getpid()

    counter = Counter.remote()
    assert ray.get(counter.up.remote())[0] == 1
    count, first = ray.get(counter.up.remote())
    assert count == 2
    os.kill(first, signal.SIGKILL)
    count, second = ray.get(counter.up.remote(), timeout=60)
    assert count == 1
    assert second != first
    os.kill(second, signal.SIGKILL)
    with pytest.raises(RayActorError):
        ray.get(counter.up.remote(), timeout=60)


def test_ctrl_c_ends_a_get_and_the_session_goes_on(start: Start) -> None:
    start()

    @ray.remote
    def forever() -> None:
        time.sleep(1_000)

    waiting = forever.remote()
    interrupt_when_blocked(current().host)
    with pytest.raises(KeyboardInterrupt):
        ray.get(waiting, timeout=60)
    assert ray.get(double.remote(3), timeout=60) == 6


def test_a_second_session_after_the_first(start: Start) -> None:
    start()
    first = ray.get(pid.remote())
    ray.shutdown()
    start()
    assert ray.get(pid.remote()) != first


def test_init_to_first_result_costs_little(start: Start) -> None:
    begin = time.process_time()
    session_id = start().address_info["session_id"]
    ray.get(pid.remote())
    spent = time.process_time() - begin
    for process in processes_of(session_id):
        user, system, *_ = psutil.Process(process).cpu_times()
        spent += user + system
    # Seconds of processors, not of a clock: about 0.4, also on a busy machine.
    assert spent < 3


def test_workers_draw_different_random_numbers(start: Start) -> None:
    """They are forks of one process that may have numpy loaded already."""
    start(num_cpus=2)

    @ray.remote
    class Dice:
        def throw(self) -> tuple[float, float]:
            import random

            return random.random(), float(np.random.random())

    dice = [Dice.remote() for _ in range(3)]
    throws = ray.get([die.throw.remote() for die in dice], timeout=60)
    assert len({plain for plain, _ in throws}) == 3
    assert len({array for _, array in throws}) == 3


def test_modules_beside_the_program_can_be_imported(
    start: Start, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "beside_the_program.py").write_text("VALUE = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    start()

    @ray.remote
    def use() -> int:
        import beside_the_program

        return int(beside_the_program.VALUE)

    assert ray.get(use.remote()) == 42


def test_the_driver_notices_that_its_node_is_gone(start: Start) -> None:
    context = start()
    assert ray.get(double.remote(1)) == 2
    info = context.address_info
    os.kill(int(info["node_pids"].split(",")[0]), signal.SIGKILL)
    assert until(lambda: not processes_of(info["session_id"]), 2)
    with pytest.raises(RayError):
        ray.get(double.remote(2), timeout=60)


def test_the_journal_holds_what_other_processes_note(start: Start) -> None:
    """A node is noted by the GCS, a nested task by the worker that owns it."""
    journal = Journal()
    start(journal=journal)

    @ray.remote
    def outer() -> int:
        return int(ray.get(double.remote(4)))

    assert ray.get(outer.remote()) == 8
    assert until(lambda: _looked(lambda: len(journal.notes(TaskEnded)) == 2))
    names = {note.name.rpartition(".")[2] for note in journal.notes(TaskEnded)}
    assert names == {"outer", "double"}
    assert [note.name for note in journal.notes(NodeJoined)] == ["node-0"]


def _looked(condition: Callable[[], bool]) -> bool:
    """Notes arrive while somebody looks at the cluster."""
    ray.nodes()
    return condition()


def _mapped() -> int:
    return Path("/proc/self/maps").read_text().count("raysim-arena")


def _arenas() -> int:
    return sum("raysim-arena" in os.readlink(entry) for entry in _descriptors())


def test_the_driver_keeps_no_shared_memory_after_the_session(start: Start) -> None:
    before, mapped = _arenas(), _mapped()
    start()
    kept = ray.get(ray.put(np.arange(500_000)))
    ray.shutdown()
    assert kept[-1] == 499_999
    del kept
    assert _mapped() == mapped
    assert _arenas() == before


def _descriptors() -> list[Path]:
    gc.collect()  # Other tests' garbage may hold some.
    return [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]


def test_sessions_leave_no_descriptors_in_the_driver(start: Start) -> None:
    start()
    ray.get(double.remote(1))
    ray.shutdown()
    before = len(_descriptors())
    for _ in range(3):
        start(nodes=2)
        ray.get(double.remote(1))
        ray.shutdown()
    assert len(_descriptors()) == before
