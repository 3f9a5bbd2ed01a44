"""A run on Ray can be reported on: the journal has what Ray recorded."""

import pytest

import raysim
from raysim.journal import Journal, Level, NodeJoined, TaskEnded


@pytest.fixture(scope="module")
def ended():
    """What the journal says of three tasks, the last one of which fails."""
    journal = Journal(Level.NOTES)
    raysim.init(backend="ray", num_cpus=2, journal=journal)

    @raysim.remote
    def work(x):
        return x + 1

    @raysim.remote
    def fail(x):
        raise ValueError(x)

    refs = [work.remote(1), work.remote(2), fail.remote(3)]
    raysim.wait(refs, num_returns=3)
    ids = [ref.task_id().binary() for ref in refs]
    raysim.shutdown()
    notes = [what for *_, what in journal.records]
    return ids, notes


def test_each_task_is_noted_once(ended):
    ids, notes = ended
    found = {note.task_id: note for note in notes if isinstance(note, TaskEnded)}
    assert set(found) == set(ids)
    assert [found[task_id].status for task_id in ids] == ["finished", "finished", "failed"]
    assert "ValueError" in found[ids[2]].reason


def test_times_follow_each_other_on_one_clock(ended):
    _, notes = ended
    for note in notes:
        if isinstance(note, TaskEnded):
            assert note.submitted_ns <= note.start_ns <= note.end_ns


def test_node_is_noted(ended):
    _, notes = ended
    (node,) = [note for note in notes if isinstance(note, NodeJoined)]
    assert node.cpus == 2
    assert {note.node_id for note in notes if isinstance(note, TaskEnded)} == {node.node_id}
