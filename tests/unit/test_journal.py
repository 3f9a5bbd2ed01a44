"""What a journal keeps, hands on and digests."""

from io import BytesIO

import msgspec

from raysim.journal import Journal, NodeJoined, NodeLost, ObjectRebuilt, TaskEnded

JOINED = NodeJoined(b"n" * 28, "node-0", 4.0)
LOST = NodeLost(b"n" * 28, "node-0", "no answer")


def write(journal, *notes):
    for time_ns, note in enumerate(notes):
        journal.write(time_ns, "head", "note", note)
    return journal


def test_same_records_have_the_same_digest():
    assert write(Journal(), JOINED, LOST).digest() == write(Journal(), JOINED, LOST).digest()


def test_order_time_and_process_change_the_digest():
    one = write(Journal(), JOINED, LOST).digest()
    assert write(Journal(), LOST, JOINED).digest() != one
    later = Journal()
    later.write(1, "head", "note", JOINED)
    elsewhere = Journal()
    elsewhere.write(1, "node-1", "note", JOINED)
    assert later.digest() != elsewhere.digest()


def test_digest_does_not_need_the_records_to_be_kept():
    journal = write(Journal(keep=False), JOINED, LOST)
    assert journal.records == []
    assert journal.count == 2
    assert journal.digest() == write(Journal(), JOINED, LOST).digest()


def test_journal_without_a_digest_says_so():
    assert write(Journal(digest=False), JOINED).digest() is None


def test_notes_of_one_kind_are_found_in_order():
    again = ObjectRebuilt(b"o" * 28)
    journal = write(Journal(), JOINED, LOST, again, JOINED)
    assert journal.notes(NodeJoined) == [JOINED, JOINED]
    assert journal.notes(ObjectRebuilt) == [again]


def test_only_the_first_attempts_are_kept_and_all_are_digested():
    attempts = [TaskEnded(bytes([n]), "f", 0, "finished", 0, 0, 0, n, b"n", b"w") for n in range(4)]
    some = write(Journal(most_attempts=2), JOINED, *attempts, LOST)
    assert [what for *_, what in some.records] == [JOINED, *attempts[:2], LOST]
    assert (some.attempts, some.count) == (4, 6)
    assert some.digest() == write(Journal(), JOINED, *attempts, LOST).digest()


def test_a_follower_hears_of_notes_before_and_after_and_of_nothing_else():
    heard = []
    journal = write(Journal(), JOINED)
    journal.follow(heard.append)
    journal.write(1, "head", "timer", "due")
    write(journal, LOST)
    assert heard == [JOINED, LOST]


def test_what_was_preparation_is_forgotten_but_not_by_the_digest():
    journal = write(Journal(), JOINED)
    journal.forget()
    assert journal.records == []
    assert journal.digest() == write(Journal(), JOINED).digest()
    assert write(journal, LOST).notes(NodeLost) == [LOST]


def test_sink_gets_each_record_with_its_length():
    sink = BytesIO()
    write(Journal(sink=sink, keep=False), JOINED, LOST)
    data, records = sink.getvalue(), []
    while data:
        length = int.from_bytes(data[:4], "little")
        records.append(msgspec.msgpack.decode(data[4 : 4 + length]))
        data = data[4 + length :]
    assert [(time_ns, process, kind) for time_ns, process, kind, _ in records] == [
        (0, "head", "note"),
        (1, "head", "note"),
    ]
    assert [what["type"] for *_, what in records] == ["NodeJoined", "NodeLost"]


def test_what_has_no_encoding_is_written_as_its_repr():
    """A timer's target, say: the journal must not end the run."""
    journal = Journal()
    journal.write(0, "head", "timer", object)
    assert journal.digest() is not None
