"""What is noted of where references are made."""

import sys

from raysim.runtime.call_sites import PUT, SPARE, CallSites
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.address import NOWHERE
from raysim.spec.ids import IdSource, ObjectId, driver_task, job_id

IDS = IdSource(driver_task(job_id(1)))


def test_those_of_objects_that_are_gone_are_forgotten() -> None:
    there: dict[ObjectId, None] = {}
    sites = CallSites(there.__contains__)
    refs = [ObjectRef(IDS.put(), NOWHERE, None) for _ in range(5 * SPARE)]
    there[refs[0]._id] = None
    for ref in refs:
        sites.note(PUT, [ref], sys._getframe())
    kept = [ref for ref in refs if sites.of(ref._id)]
    assert len(kept) <= SPARE + 2
    assert kept[0] is refs[0]


def test_what_was_made_by_no_line_of_a_program_says_how_only() -> None:
    sites = CallSites(lambda _: True)
    ref = ObjectRef(IDS.put(), NOWHERE, None)
    sites.note(PUT, [ref, None], None)
    assert sites.of(ref._id) == PUT
