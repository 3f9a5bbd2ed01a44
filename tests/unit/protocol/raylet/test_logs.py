"""A raylet shows its node's log files, a bounded piece at a time."""

from raysim.protocol.messages import ListLogs, LogRead, LogsListed, ReadLog
from raysim.protocol.raylet.logs import PIECE_BYTES
from tests.unit.protocol.fake_host import address

ASKER = address("driver", "here")


def test_the_names_of_its_files(node):
    node.host.logs.files = {"b.out": b"", "a.log": b""}
    assert node.tell(ASKER, ListLogs(4)) == [(ASKER, LogsListed(4, ["a.log", "b.out"]))]


def test_a_large_file_comes_in_pieces(node):
    content = bytes(range(256)) * (PIECE_BYTES // 256) + b"rest"
    node.host.logs.files = {"b.out": content}
    [(_, first)] = node.tell(ASKER, ReadLog(5, "b.out", 0))
    assert first == LogRead(5, content[:PIECE_BYTES], 0, len(content))
    [(_, second)] = node.tell(ASKER, ReadLog(6, "b.out", PIECE_BYTES))
    assert second == LogRead(6, b"rest", PIECE_BYTES, len(content))
    [(_, end)] = node.tell(ASKER, ReadLog(7, "b.out", -2))
    assert end == LogRead(7, b"st", len(content) - 2, len(content))


def test_a_file_that_it_does_not_have(node):
    assert node.tell(ASKER, ReadLog(8, "c.out", 0)) == [(ASKER, LogRead(8, missing=True))]
