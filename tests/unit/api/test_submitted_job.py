"""What `init` takes from the job that a program was submitted as."""

import json
import os

import pytest

from raysim.api.job_arguments import job_arguments
from raysim.api.submitted_job import VARIABLE, with_submitted

TOLD = {"runtime_env": {"working_dir": "gcs://a.zip"}, "metadata": {"job_submission_id": "nightly"}}


def test_a_submitted_program_has_the_environment_and_the_metadata_of_its_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, VARIABLE, json.dumps(TOLD))
    given = job_arguments({}, {"env_vars": {"A": "1"}}, None)
    assert given.runtime_env == {"working_dir": "gcs://a.zip", "env_vars": {"A": "1"}}
    assert given.metadata == {"job_submission_id": "nightly"}
    assert job_arguments({}, None, None, submitted=False).metadata == {}


def test_one_that_nobody_submitted_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, VARIABLE, raising=False)
    assert job_arguments({}, None, None).runtime_env is None


def test_both_may_have_variables_but_not_the_same_ones() -> None:
    told = {"env_vars": {"A": "1"}, "working_dir": "gcs://a.zip"}
    both = with_submitted({"env_vars": {"B": "2"}}, told)
    assert both == {"env_vars": {"A": "1", "B": "2"}, "working_dir": "gcs://a.zip"}
    with pytest.raises(ValueError, match="both have working_dir, A"):
        with_submitted({"env_vars": {"A": "2"}, "working_dir": "."}, told)


def test_a_variable_that_is_no_job_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, VARIABLE, "[1]")
    with pytest.raises(ValueError, match=VARIABLE):
        job_arguments({}, None, None)
