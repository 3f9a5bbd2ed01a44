"""Submitted jobs beside drivers, and those whose supervisor died."""

import time
from typing import Any

import pytest

from raysim.runtime.state_tables import standing
from raysim.spec.job import JobSettings
from raysim.spec.state import Inquiry, Listing
from raysim.spec.submission import (
    ACTORS,
    KEYS,
    JobStatus,
    Submission,
    check_id,
    decode,
    encode,
    unknown,
)
from raysim.util.state.submitted import submission, with_submissions


class FakeBackend:
    """Has records and actors; `on_inspect` happens while it is asked for actors."""

    def __init__(self, *found: Submission) -> None:
        self.values = {one.key: encode(one) for one in found}
        self.actors: list[dict[str, Any]] = []
        self.on_inspect = lambda: None

    def kv_get(self, namespace: str, key: bytes, prefix: bool = False) -> dict[bytes, bytes]:
        assert namespace == KEYS
        return {k: v for k, v in self.values.items() if k == key or (prefix and k.startswith(key))}

    def kv_put(self, namespace: str, key: bytes, value: bytes, overwrite: bool) -> bytes:
        assert namespace == KEYS
        assert overwrite
        self.values[key] = value
        return value

    def inspect(self, inquiry: Inquiry) -> Listing:
        self.on_inspect()
        return Listing(self.actors, len(self.actors))

    def now(self) -> float:
        return 0.0

    def died(self, name: str, why: str) -> None:
        cause = {"actor_died_error_context": {"error_message": why}}
        self.actors.append(
            {"ray_namespace": ACTORS, "name": name, "state": "DEAD", "death_cause": cause}
        )


def made(status: JobStatus = JobStatus.RUNNING, age_s: float = 0.0) -> Submission:
    began = round((time.time() - age_s) * 1000)
    return Submission(submission_id="nightly", entrypoint="app", status=status, start_time=began)


def driver(job_id: str, submission_id: str = "") -> dict[str, Any]:
    metadata = {"job_submission_id": submission_id} if submission_id else None
    row = {"job_id": job_id, "driver_info": {"pid": "7"}, "metadata": metadata}
    return {**row, **standing(JobSettings(priority=3), {})}


def test_a_driver_that_was_submitted_is_part_of_its_submission() -> None:
    backend: Any = FakeBackend(made(JobStatus.SUCCEEDED))
    by_hand = driver("01")
    rows = with_submissions(backend, [driver("02", "nightly"), by_hand, driver("03", "nightly")])
    assert rows[0] is by_hand
    [row] = rows[1:]
    assert (row["type"], row["submission_id"], row["job_id"]) == ("SUBMISSION", "nightly", "03")
    assert row["priority"] == 3


def test_a_driver_whose_submission_was_deleted_is_a_driver() -> None:
    backend: Any = FakeBackend()
    orphan = driver("02", "nightly")
    assert with_submissions(backend, [orphan]) == [orphan]


def test_a_job_whose_supervisor_died_has_failed_and_that_is_written_down() -> None:
    backend: Any = FakeBackend(made())
    backend.died("nightly", "node 3f2a died")
    found = submission(backend, "nightly")
    assert found is not None
    assert (found.status, found.error_type) == (JobStatus.FAILED, "JOB_SUPERVISOR_ACTOR_DIED")
    assert found.message == "The job's supervisor died: node 3f2a died"
    assert decode(backend.values[b"nightly"]) == found


def test_what_a_supervisor_wrote_before_it_ended_stays() -> None:
    """It ended between the look at the record and the look at the actors."""
    backend: Any = FakeBackend(made())
    backend.died("nightly", "killed")
    done = made(JobStatus.SUCCEEDED)
    backend.on_inspect = lambda: backend.values.update({b"nightly": encode(done)})
    assert submission(backend, "nightly") == done


def test_one_whose_supervisor_is_still_to_be_made_waits_but_not_for_ever() -> None:
    young, old = made(JobStatus.PENDING), made(JobStatus.PENDING, age_s=3600)
    backend: Any = FakeBackend(young)
    assert submission(backend, "nightly") == young
    lost: Any = FakeBackend(old)
    found = submission(lost, "nightly")
    assert found is not None
    assert found.message == "The job's supervisor was never made"


@pytest.mark.parametrize("wrong", ["", "-a", ".a", "a/b", "a b", "x" * 129, "ä"])
def test_an_id_is_a_part_of_a_files_name(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no id for a job"):
        check_id(wrong)


def test_the_nearest_id_is_suggested() -> None:
    text = "Job nighly does not exist. Did you mean nightly?"
    assert unknown("nighly", ["nightly", "weekly"]) == text
    assert unknown("x", ["nightly"]) == "Job x does not exist."
