"""What the API asks of the cluster's state: asks, waits, shows the rows in Ray's words. Never who knows them."""

from typing import TYPE_CHECKING

from raysim.exceptions import RaySystemError
from raysim.protocol.host import Waiter
from raysim.protocol.inspecting import Findings
from raysim.runtime.state_tables import Tables
from raysim.runtime.task_tables import counted_rows, object_rows, task_rows
from raysim.spec.state import Inquiry, Listing, Noun

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

NS = 1_000_000_000


def inspect(worker: "CoreWorker", inquiry: Inquiry) -> Listing:
    """Raises RaySystemError when the GCS does not answer in time."""
    found = survey(worker, inquiry)
    tables = Tables(found.rows, inquiry.epoch_ns)
    rows = tables.rows(inquiry.noun)
    if inquiry.noun is Noun.TASKS:
        rows = task_rows(found.rows, tables, worker.values.load)
    elif inquiry.noun is Noun.OBJECTS:
        rows = object_rows(found.rows, tables)
    if inquiry.wanted is not None and inquiry.noun is Noun.TASKS:
        if inquiry.wanted.counted:
            return Listing(rows, len(rows), found.asked, found.silent, 0, counted_rows(found.rows))
        return Listing(rows, len(rows), found.asked, found.silent, found.left_out)
    return Listing(rows, len(rows) + found.left_out, found.asked, found.silent)


def survey(worker: "CoreWorker", inquiry: Inquiry) -> Findings:
    """The rows as everybody gave them. Raises RaySystemError when the GCS does not answer in time."""
    waiter = Waiter()
    answers: list[Findings] = []

    def done(findings: Findings) -> None:
        answers.append(findings)
        waiter.finish()

    with worker.host.lock:
        worker.drain()
        worker.inspecting.survey(inquiry, int(inquiry.timeout * NS), done)
    worker.block(waiter, None)
    [found] = answers
    if found.silent and found.asked == 1:
        raise RaySystemError(
            f"The GCS did not answer within {inquiry.timeout:g} s. Is the head of the cluster alive?"
        )
    return found
