"""Jobs that are submitted to a cluster of `raysim start`, by command and by client."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.inspection import lives, until
from tests.cluster.started import Machine

APP = """
import json, os, sys, time
import helper
import raysim as ray
@ray.remote(num_cpus=0)
def where(): return os.environ["COLOR"], os.path.exists("helper.py"), helper.WORD
ray.init()
context = ray.get_runtime_context()
print(json.dumps([ray.get(where.remote()), os.getpid(), os.getpgid(0), context.namespace]))
print(sys.argv[1:], file=sys.stderr)
if "--wait" in sys.argv: time.sleep(3600)
sys.exit(int(sys.argv[-1]))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        machine.start_head("--num-cpus", "2", "--resources", '{"disk": 1}')
        yield machine
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP)
    (folder / "helper.py").write_text('WORD = "helped"\n')
    return folder


def submit(machine: Machine, app: Path, *args: str) -> Any:
    env = '{"env_vars": {"COLOR": "blue"}}'
    where = ("--working-dir", str(app), "--runtime-env-json", env)
    return machine.raysim("job", "submit", *where, *args)


def shown(machine: Machine, job_id: str) -> dict[str, Any]:
    listed = machine.raysim("job", "list", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    [row] = [row for row in json.loads(listed.stdout) if row["submission_id"] == job_id]
    return dict(row)


def test_a_job_runs_in_its_folder_and_environment_and_its_log_is_followed(
    machine: Machine, app: Path
) -> None:
    ended = submit(machine, app, "--submission-id", "good", "--", "python", "app.py", "a b", "0")
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    answer, pid, group, _ = json.loads(first)
    assert answer == ["blue", True, "helped"]
    assert second == "['a b', '0']"
    assert group != os.getpgid(0)
    row = shown(machine, "good")
    assert (row["status"], row["driver_info"]["pid"], row["driver_exit_code"]) == (
        "SUCCEEDED",
        str(pid),
        0,
    )
    assert machine.raysim("job", "logs", "good").stdout == ended.stdout
    listed = json.loads(machine.raysim("list", "jobs", "--detail", "--format", "json").stdout)
    assert [one["type"] for one in listed if one["job_id"] == row["job_id"]] == ["SUBMISSION"]


def test_a_job_that_fails_says_why(machine: Machine, app: Path) -> None:
    ended = submit(machine, app, "--submission-id", "bad", "--", "python", "app.py", "3")
    assert ended.returncode == 1
    assert "Job bad: FAILED. Job entrypoint command failed with exit code 3" in ended.stderr
    status = machine.raysim("job", "status", "bad").stdout
    assert status.startswith("bad: FAILED\n")
    assert status.endswith("['3']\n")
    again = submit(machine, app, "--submission-id", "bad", "--", "true")
    assert again.returncode == 2
    assert "Job with submission_id bad already exists" in again.stderr


def running(machine: Machine, app: Path, job_id: str, *args: str) -> int:
    """The pid of its driver, which waits."""
    options = ("--no-wait", "--submission-id", job_id, *args)
    begun = submit(machine, app, *options, "--", "python app.py --wait 0")
    assert (begun.returncode, begun.stdout) == (0, f"{job_id}\n"), begun.stderr
    assert until(lambda: "--wait" in machine.raysim("job", "logs", job_id).stdout)
    return int(json.loads(machine.raysim("job", "logs", job_id).stdout.splitlines()[0])[1])


def test_a_job_is_stopped_and_then_deleted(machine: Machine, app: Path) -> None:
    driver = running(machine, app, "endless", "--entrypoint-resources", '{"disk": 1}')
    refused = machine.raysim("job", "delete", "endless")
    assert refused.returncode == 1
    assert "non-terminal state RUNNING" in refused.stderr
    waits = ("--no-wait", "--submission-id", "waits", "--entrypoint-resources", '{"disk": 1}')
    assert submit(machine, app, *waits, "--", "true").returncode == 0
    assert shown(machine, "waits")["status"] == "PENDING"
    assert machine.raysim("job", "stop", "waits").stdout == "waits: STOPPED\n"
    assert machine.raysim("job", "stop", "endless").stdout == "endless: STOPPED\n"
    assert until(lambda: not lives(driver))
    assert machine.raysim("job", "stop", "endless").stdout == "endless: STOPPED already\n"
    assert machine.raysim("job", "delete", "endless").stdout == "endless: deleted\n"
    gone = machine.raysim("job", "status", "goood")
    assert (gone.returncode, gone.stderr) == (
        1,
        "Job goood does not exist. Did you mean good?\n",
    )


def test_what_is_known_of_jobs_outlives_the_gcs_and_a_supervisor_that_is_killed_fails_its_job(
    machine: Machine, app: Path
) -> None:
    driver = running(machine, app, "survivor")
    [gcs] = machine.gcs_pids()
    os.kill(gcs, signal.SIGKILL)
    assert until(lambda: machine.gcs_pids() not in ([], [gcs]))
    row = shown(machine, "survivor")
    assert (row["status"], row["driver_info"]["pid"]) == ("RUNNING", str(driver))
    assert shown(machine, "good")["status"] == "SUCCEEDED"
    actors = json.loads(machine.raysim("list", "actors", "--format", "json").stdout)
    [supervisor] = [
        one["pid"] for one in actors if one["name"] == "survivor" and one["state"] == "ALIVE"
    ]
    os.kill(supervisor, signal.SIGKILL)
    assert until(lambda: shown(machine, "survivor")["status"] == "FAILED")
    assert until(lambda: not lives(driver))


def test_a_client_submits_and_follows_as_ray_does(machine: Machine, app: Path) -> None:
    with machine.program(
        """
import asyncio
from raysim.job_submission import JobStatus, JobSubmissionClient
client = JobSubmissionClient(sys.argv[1])
job_id = client.submit_job(
    entrypoint="echo one; echo two", metadata={"owner": "me"}, entrypoint_num_cpus=1)
async def follow():
    return "".join([part async for part in client.tail_job_logs(job_id)])
tell(asyncio.run(follow()))
info = client.get_job_info(job_id)
tell([info.status == JobStatus.SUCCEEDED, info.metadata, info.driver_exit_code, info.type])
tell([client.get_job_logs(job_id), client.stop_job(job_id), client.delete_job(job_id)])
for call in (client.get_job_status, client.get_job_logs, client.stop_job, client.delete_job):
    try: call(job_id)
    except RuntimeError as error: tell(str(error) == f"Job {job_id} does not exist.")
""",
        machine.address,
    ) as program:
        assert program.told() == "one\ntwo\n"
        assert program.told() == [True, {"owner": "me"}, 0, "SUBMISSION"]
        assert program.told() == ["one\ntwo\n", False, True]
        assert [program.told() for _ in range(4)] == [True] * 4
        program.end()
