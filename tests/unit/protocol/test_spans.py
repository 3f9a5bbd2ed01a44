"""What a process remembers of what took a while, and what it leaves out."""

from raysim.protocol.messages.state import SpanKind
from raysim.protocol.spans import KEPT, LARGE_BYTES, MOST_OBJECTS, NOTICED_NS, Spans
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.fake_host import FakeHost, address

IDS = IdSource(driver_task(job_id(1)))


def test_what_is_short_and_small_is_left_out() -> None:
    host = FakeHost(address("worker"))
    spans = Spans(host)
    spans.add(SpanKind.GET, host.now_ns(), [IDS.put()])
    spans.add(SpanKind.PUT, host.now_ns(), [IDS.put()], LARGE_BYTES)
    spans.add(SpanKind.GET, host.now_ns() - NOTICED_NS, [IDS.put()])
    assert [row.kind for row in spans.rows(10)] == [SpanKind.PUT, SpanKind.GET]


def test_the_latest_are_kept_and_no_more() -> None:
    host = FakeHost(address("worker"))
    spans = Spans(host)
    for number in range(KEPT + 5):
        spans.add(SpanKind.PUT, host.now_ns(), size=LARGE_BYTES + number)
    assert len(spans) == KEPT
    assert [row.size - LARGE_BYTES for row in spans.rows(2)] == [KEPT + 3, KEPT + 4]


def test_of_many_objects_the_first_are_named() -> None:
    host = FakeHost(address("worker"))
    spans = Spans(host)
    ids = {IDS.put(): None for _ in range(100)}
    spans.add(SpanKind.GET, host.now_ns() - NOTICED_NS, ids, count=len(ids))
    [row] = spans.rows(1)
    assert (row.count, row.object_ids) == (100, list(ids)[:MOST_OBJECTS])
