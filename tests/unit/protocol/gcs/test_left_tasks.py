"""What the GCS remembers of tasks whose programs have ended."""

from raysim.protocol.gcs.left_tasks import LeftTasks
from raysim.protocol.messages.state import TaskSeen
from tests.unit.protocol.gcs.test_inspections import task


def failed(name: str, payload: bytes) -> TaskSeen:
    made = task(name)
    made.payload = payload
    return made


def test_a_task_that_is_forgotten_is_forgotten_with_its_exception() -> None:
    """They were kept until they were 16 MiB: a GCS whose programs fail grew for hours."""
    left = LeftTasks(3)
    for number in range(100):
        left.add([failed(f"failed {number}", b"x" * 1000), task(f"done {number}")])
    assert [one.name for one in left] == ["done 98", "failed 99", "done 99"]
    assert [one.name for one in left._raised] == ["failed 99"]
