"""Real files of real node processes: nameless, checked, and gone with what they hold."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import raysim as ray
from raysim.cluster_utils import Cluster
from raysim.exceptions import ObjectLostError, OutOfDiskError
from tests.cluster.inspection import until
from tests.cluster.shuffles import shuffle, workers_killed

Start = Callable[..., Any]

MB = 1_000_000
STORE = 20 * MB
SMALL = {"min_spilling_size": 4 * MB}


def content(number: int) -> Any:
    return np.full(2 * MB, number, np.uint8)


@ray.remote
def make(number: int) -> Any:
    return content(number)


def files_of(pid: int, folder: str) -> list[str]:
    """What a process has open below a folder, as paths by which another can open it."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(fd)
        except FileNotFoundError:
            continue
        if name.startswith(folder) and name.endswith("(deleted)"):
            found.append(str(fd))
    return found


def flip(path: str) -> None:
    """All its bytes: whatever object is in it."""
    with open(path, "r+b") as file:
        data = np.frombuffer(file.read(), np.uint8)
        file.seek(0)
        file.write((~data).tobytes())


def spilled(info: dict[str, Any], count: int = 3) -> list[str]:
    pid = int(info["node_pids"])
    assert until(lambda: len(files_of(pid, info["session_dir"])) >= count)
    return files_of(pid, info["session_dir"])


def test_files_have_no_names_and_go_with_their_objects(start: Start) -> None:
    info = start(object_store_memory=STORE, _system_config=SMALL).address_info
    before = sorted(os.listdir(info["session_dir"]))
    refs = [ray.put(content(number)) for number in range(30)]
    assert spilled(info)
    assert sorted(os.listdir(info["session_dir"])) == before
    refs.clear()
    assert until(lambda: not files_of(int(info["node_pids"]), info["session_dir"]))


def test_what_is_corrupt_is_never_given_to_anybody(start: Start) -> None:
    info = start(object_store_memory=STORE, _system_config=SMALL).address_info
    put = [ray.put(content(number)) for number in range(20)]
    for path in spilled(info):
        flip(path)
    ends: list[int | None] = []
    for ref in put:
        try:
            ends.append(int(ray.get(ref)[-1]))
        except ObjectLostError as error:
            assert "is corrupt" in str(error)  # noqa: PT017  (others are given their values)
            ends.append(None)
    assert None in ends
    assert all(end in (number, None) for number, end in enumerate(ends))


def test_what_a_task_made_is_made_again(start: Start) -> None:
    info = start(object_store_memory=STORE, _system_config=SMALL).address_info
    made = [make.remote(number) for number in range(20)]
    ray.wait(made, num_returns=20, fetch_local=False)
    for index, path in enumerate(spilled(info)):
        if index % 2:
            flip(path)
        else:
            os.truncate(path, 10)
    assert [int(ray.get(ref)[-1]) for ref in made] == list(range(20))


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_is_a_typed_error_and_nothing_is_lost(tiny: Path, start: Start) -> None:
    start(
        object_store_memory=STORE,
        object_spilling_directory=str(tiny),
        _system_config={
            **SMALL,
            "local_fs_capacity_threshold": 1.0,
            "store_full_timeout_ms": 200,
            "spill_retry_ms": 20,
        },
    )
    refs: list[Any] = []

    def fill() -> None:
        while len(refs) < 40:
            refs.append(ray.put(content(len(refs))))

    with pytest.raises(OutOfDiskError, match="No space left on device"):
        fill()
    assert len(refs) >= 12
    del refs[-3:]
    assert [int(ray.get(ref)[-1]) for ref in refs] == list(range(len(refs)))


def test_a_folder_that_does_not_exist_is_made_and_removed(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "of" / "objects"
    start(
        object_store_memory=STORE,
        object_spilling_directory=str(folder),
        _system_config=SMALL,
    )
    refs = [ray.put(content(number)) for number in range(20)]
    assert [int(ray.get(ref)[-1]) for ref in refs] == list(range(20))
    assert folder.is_dir()
    ray.shutdown()
    assert not folder.exists()


def test_a_folder_in_which_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="No object can be spilled to"):
        ray.init(backend="cluster", object_spilling_directory=str(tmp_path / "file"))
    assert not ray.is_initialized()


@ray.remote(max_retries=-1)
def pid() -> int:
    return os.getpid()


def small_shuffle() -> None:
    """80 MB through a store of 20 MB."""
    shuffle(maps=25, parts=5, count=400_000)


def test_a_shuffle_of_four_times_the_store(start: Start) -> None:
    start(object_store_memory=STORE, _system_config=SMALL)
    small_shuffle()


def test_the_same_while_workers_are_killed(start: Start) -> None:
    info = start(object_store_memory=STORE, _system_config=SMALL).address_info
    with workers_killed(int(info["node_pids"]), every_s=0.3):
        small_shuffle()


def test_the_same_over_nodes_of_which_one_is_lost() -> None:
    head = {"num_cpus": 1, "object_store_memory": STORE, "_system_config": SMALL}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args=head, backend="cluster")
    try:
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
        lost = threading.Timer(1.0, cluster.remove_node, (nodes[0],), {"allow_graceful": False})
        lost.start()
        small_shuffle()
        lost.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
