"""What a node notes of itself: how busy it is, and the head's files of it, which do not grow for ever."""

import os
from pathlib import Path

import msgspec

from raysim.protocol.process import Process
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.sample import FOLDER, Sample, file_name
from raysim_cluster.sample_keeper import SampleFile, SampleKeeper
from raysim_cluster.sampled import Sampled
from raysim_cluster.samples import Busy, traffic
from tests.unit.protocol.fake_host import address

NODE = NodeId(b"n" * UNIQUE_ID_BYTES)


def sample(time_ms: int) -> Sample:
    return Sample(time_ms, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, {"CPU": 1.0})


def times(file: SampleFile) -> list[int]:
    lines = file.path.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Sample).time_ms for line in lines]


def test_the_latest_are_kept_in_order(tmp_path: Path) -> None:
    file = SampleFile(tmp_path, NODE, kept=3)
    for number in range(20):
        file.add(sample(number))
        kept = times(file)
        assert kept == list(range(kept[0], number + 1))
        assert len(kept) >= min(number + 1, 3)
        assert len(kept) <= 6


def test_the_share_is_of_what_passed_since_the_last_look() -> None:
    looks = iter(
        [
            "cpu 100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1\n",
            "cpu 150 10 110 725 105 0 0 0 50 0\ncpu0 1 1 1\n",
            "cpu 150 10 110 725 105 0 0 0 50 0\n",
        ]
    )
    busy = Busy(lambda: next(looks))
    assert busy.since_last() == 0.7
    assert busy.since_last() == 0.0, "nothing has passed"


def test_the_machine_s_own_network_does_not_count() -> None:
    table = """Inter-|   Receive    |  Transmit
 face |bytes packets errs ... |bytes packets errs ...
    lo: 500 5 0 0 0 0 0 0 500 5 0 0 0 0 0 0
  eth0: 1000 7 0 0 0 0 0 0 200 3 0 0 0 0 0 0
 wlan1:30 1 0 0 0 0 0 0 4 1 0 0 0 0 0 0
"""
    assert traffic(table) == (1030, 204)


def test_the_next_life_of_the_head_goes_on_with_the_file(tmp_path: Path) -> None:
    for number in range(20):
        file = SampleFile(tmp_path, NODE, kept=3)  # It ends after each.
        file.add(sample(number))
    assert times(file)[-3:] == [17, 18, 19]
    assert len(times(file)) <= 6


def test_the_head_keeps_what_each_node_says_and_forgets_those_long_gone(tmp_path: Path) -> None:
    keeper = SampleKeeper(tmp_path)
    process = Process([keeper])
    one, two = address("one"), address("two")
    for number in range(3):
        process.receive(one, Sampled(sample(number)))
    folder = tmp_path / FOLDER
    [path] = folder.iterdir()
    assert path.name == file_name(one.node_id.hex())
    assert len(path.read_bytes().splitlines()) == 3
    os.utime(path, (0, 0))
    process.peer_lost(one)
    process.receive(two, Sampled(sample(7)))
    assert [path.name for path in folder.iterdir()] == [file_name(two.node_id.hex())]
