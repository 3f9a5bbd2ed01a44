from raysim.protocol.messages import PushTasks
from raysim.spec.ids import FunctionId, TaskId
from raysim.spec.task import TaskCall, TaskTemplate
from raysim_sim.sizes import SIZES
from raysim_sim.sketch import sketch


def push(function: bytes, args: bytes, task: bytes = b"t" * 24) -> PushTasks:
    template = TaskTemplate(FunctionId(function[:1] * 28), "work", {"CPU": 10_000})
    return PushTasks(1, template, [TaskCall(TaskId(task), 0, args)], function)


def test_user_data_are_seen_by_their_size_only():
    """The pickle of a set depends on the hash seed; what the cluster does with it does not."""
    assert sketch(push(b"{a, b}", b"{c, d}")) == sketch(push(b"{b, a}", b"{d, c}"))
    assert sketch(push(b"{a, b}", b"{c, d}")) != sketch(push(b"{a, b}", b"{c}"))


def test_ids_are_seen():
    assert sketch(push(b"f", b"a")) != sketch(push(b"f", b"a", task=b"u" * 24))


def test_a_message_weighs_what_it_carries():
    def weight(function: bytes) -> int:
        return SIZES[PushTasks](push(function, b"a"))

    assert weight(b"f" * 5_000) - weight(b"f") == 4_999
