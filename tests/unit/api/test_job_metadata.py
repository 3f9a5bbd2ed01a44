"""What a job says of itself in its metadata: its user, priority and quota."""

import json
import os
import re

import pytest

from raysim.api.job_arguments import job_arguments
from raysim.api.job_config import JobConfig
from raysim.api.job_metadata import quota_of, settings_of, with_standing
from raysim.api.submitted_job import VARIABLE
from raysim.spec.job import JobSettings


def test_a_job_says_its_user_priority_and_quota_and_keeps_what_is_its_own() -> None:
    said = {
        "raysim.io/user": "ann",
        "raysim.io/priority": "-3",
        "raysim.io/quota": "GPU=0.5, CPU=4",
        "team": "vision",
    }
    assert settings_of(said) == JobSettings(
        user="ann", priority=-3, quota={"CPU": 40_000, "GPU": 5_000}
    )
    assert settings_of({"team": "vision"}) == JobSettings()


def test_an_amount_of_memory_may_have_a_unit_and_none_of_a_resource_is_an_amount() -> None:
    assert quota_of("memory=1GiB") == {"memory": 2**30 * 10_000}
    assert quota_of("GPU=0") == {"GPU": 0}


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        (
            {"raysim.io/qouta": "CPU=1"},
            "There is no metadata 'raysim.io/qouta' of a job; did you mean quota?",
        ),
        ({"raysim.io/priority": "high"}, "Metadata 'raysim.io/priority': invalid literal for int"),
        ({"raysim.io/quota": "CPU:4"}, "'CPU:4' is not written as RESOURCE=AMOUNT, such as CPU=4"),
        ({"raysim.io/quota": "cpu=4"}, "no resource is called cpu; did you mean CPU?"),
        ({"raysim.io/quota": "CPU=4,CPU=5"}, "CPU is given twice"),
        ({"raysim.io/quota": "CPU=-1"}, "CPU=-1: an amount is 0 or more"),
        ({"raysim.io/quota": "CPU=x"}, "CPU=x: 'x' is no number"),
        ({"raysim.io/quota": "CPU=nan"}, "CPU=nan: an amount is 0 or more"),
        ({"raysim.io/quota": "object_store_memory=1"}, "object_store_memory is no job's"),
    ],
)
def test_what_cannot_be_read_is_refused(metadata: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        settings_of(metadata)


def test_init_takes_it_from_the_job_config_and_who_submits_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"raysim.io/priority": "99", "raysim.io/user": "ann"}
    config = JobConfig(metadata=own, default_actor_lifetime="detached")
    told = {"metadata": {"raysim.io/priority": "1", "raysim.io/quota": "CPU=2"}}
    monkeypatch.setitem(os.environ, VARIABLE, json.dumps(told))
    given = job_arguments({"job_config": config}, None, None)
    assert given.settings == JobSettings(True, None, "ann", 1, {"CPU": 20_000})
    assert given.metadata == {**own, **told["metadata"]}


def test_the_command_line_adds_to_the_metadata_and_contradicts_nothing() -> None:
    assert with_standing({"team": "vision"}, 10, ["CPU=4", "GPU=1"]) == {
        "team": "vision",
        "raysim.io/priority": "10",
        "raysim.io/quota": "CPU=4,GPU=1",
    }
    assert with_standing({}, None, []) == {}
    with pytest.raises(ValueError, match=r"raysim\.io/priority is in the metadata, too"):
        with_standing({"raysim.io/priority": "1"}, 2, [])
