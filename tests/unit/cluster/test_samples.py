"""What a node notes of itself: a file that does not grow for ever, and how busy its processors are."""

from pathlib import Path

import msgspec

from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.sample import Sample
from raysim_cluster.samples import Busy, SampleFile

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
