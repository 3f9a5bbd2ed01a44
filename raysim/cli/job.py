"""What the commands of `raysim job` do, by the client that programs have. Never over a way of their own."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from raysim.api.job_metadata import settings_of, with_standing
from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.cli.rows import DOCUMENTS, as_table
from raysim.exceptions import AuthenticationError, LocalRayletDiedError, RayError
from raysim.job_submission import JobStatus, JobSubmissionClient
from raysim.job_submission.client import is_web
from raysim.spec.units import parse_size
from raysim.util.state.schema import Humanify
from raysim.util.state.states import JobState

Where = Mapping[str, str | None]
"""`address`, `verify` and `headers`, as they were given."""

_LOOK_S: Final = 0.2
"""Between two looks whether a job has ended."""

_COLUMNS: Final = (
    *("submission_id", "job_id", "type", "status", "priority", "quota", "quota_used"),
    *("entrypoint", "message"),
)


@contextmanager
def _client(where: Where) -> Iterator[JobSubmissionClient]:
    """Raises CommandFailedError, BadInputError."""
    headers = _json("--headers", where["headers"])
    try:
        client = JobSubmissionClient(
            where["address"], headers=headers, verify=_verify(where["verify"] or "true")
        )
        if is_web(client.get_address()):
            yield client
            return
        with connected_to(client.get_address()):  # One for all that is asked.
            yield client
    except (ValueError, TypeError) as error:
        raise BadInputError(str(error)) from error
    except (ConnectionError, AuthenticationError, RayError, RuntimeError) as error:
        raise CommandFailedError(str(error)) from error


def submit_command(entrypoint: Sequence[str], no_wait: bool, asked: Mapping[str, Any]) -> int:
    command = entrypoint[0] if len(entrypoint) == 1 else shlex.join(entrypoint)
    env = _runtime_env(asked)
    memory = asked["entrypoint_memory"]
    resources = _json("--entrypoint-resources", asked["entrypoint_resources"])
    metadata = _json("--metadata-json", asked["metadata_json"])
    with _client(asked) as client:
        metadata = with_standing(metadata, asked["priority"], asked["quota"])
        settings_of(metadata)
        job_id = client.submit_job(
            entrypoint=command,
            runtime_env=env,
            metadata=metadata,
            submission_id=asked["submission_id"],
            entrypoint_num_cpus=asked["entrypoint_num_cpus"],
            entrypoint_num_gpus=asked["entrypoint_num_gpus"],
            entrypoint_memory=None if memory is None else parse_size(memory),
            entrypoint_resources=resources,
        )
        if no_wait:
            click.echo(job_id)
            return 0
        click.echo(f"Job {job_id} is submitted. Stop it with: raysim job stop {job_id}", err=True)
        with _following(job_id):
            asyncio.run(_follow(client, job_id))
            return _ended(client, job_id)


def status_command(job_id: str, where: Where) -> int:
    with _client(where) as client:
        found = client.get_job_info(job_id)
    click.echo(f"{job_id}: {found.status}")
    if found.message:
        click.echo(found.message.rstrip("\n"))
    if found.priority:
        click.echo(f"Priority: {found.priority}")
    if found.quota is not None:
        used = "" if found.quota_used is None else f"; in use: {Humanify.amounts(found.quota_used)}"
        click.echo(f"Quota: {Humanify.amounts(found.quota)}{used}")
    return 0


def logs_command(job_id: str, follow: bool, where: Where) -> int:
    with _client(where) as client:
        if follow:
            with _following(job_id):
                asyncio.run(_follow(client, job_id))
        else:
            sys.stdout.write(client.get_job_logs(job_id))
    return 0


def stop_command(job_id: str, no_wait: bool, where: Where) -> int:
    with _client(where) as client:
        if not client.stop_job(job_id):
            click.echo(f"{job_id}: {client.get_job_status(job_id)} already")
            return 0
        while not no_wait and not client.get_job_status(job_id).is_terminal():
            time.sleep(_LOOK_S)
        click.echo(f"{job_id}: {client.get_job_status(job_id)}")
    return 0


def list_command(output: str, where: Where) -> int:
    with _client(where) as client:
        rows = client.list_rows()
    if output in DOCUMENTS:
        click.echo(DOCUMENTS[output](rows))
    else:
        click.echo(as_table([JobState.humanify(row) for row in rows], _COLUMNS))
    return 0


def delete_command(job_id: str, where: Where) -> int:
    with _client(where) as client:
        client.delete_job(job_id)
    click.echo(f"{job_id}: deleted")
    return 0


@contextmanager
def _following(job_id: str) -> Iterator[None]:
    """The job does not need who follows it: where the way to it is lost, say how to find back."""
    try:
        yield
    except (ConnectionError, LocalRayletDiedError) as error:
        why = f" ({error})" if isinstance(error, ConnectionError) else ""
        raise CommandFailedError(
            f"The cluster stopped answering while job {job_id} was followed{why}. Once it answers again, see what "
            f"became of the job with: raysim job status {job_id}; and go on with: raysim job logs {job_id} --follow"
        ) from error


async def _follow(client: JobSubmissionClient, job_id: str) -> None:
    async for text in client.tail_job_logs(job_id):
        sys.stdout.write(text)
        sys.stdout.flush()


def _ended(client: JobSubmissionClient, job_id: str) -> int:
    found = client.get_job_info(job_id)
    if found.status is JobStatus.SUCCEEDED:
        click.echo(f"Job {job_id} succeeded.", err=True)
        return 0
    first = (found.message or "").partition("\n")[0]
    click.echo(f"Job {job_id}: {found.status}. {first}", err=True)
    return 1


def _verify(text: str) -> str | bool:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


def _runtime_env(asked: Mapping[str, Any]) -> dict[str, Any]:
    file, text = asked["runtime_env"], asked["runtime_env_json"]
    if file is not None and text is not None:
        raise BadInputError("Give one of --runtime-env and --runtime-env-json.")
    env = _json("--runtime-env-json", text)
    if file is not None:
        import yaml  # Here: it takes 10 ms, which only those pay that have such a file.

        env = yaml.safe_load(file.read_text("utf-8"))
        if not isinstance(env, dict):
            raise BadInputError(f"--runtime-env: {file} is not a mapping of names to values.")
    if asked["working_dir"] is not None:
        if "working_dir" in env and env["working_dir"] != asked["working_dir"]:
            raise BadInputError("--working-dir and the runtime environment name two folders.")
        env["working_dir"] = asked["working_dir"]
    return env


def _json(option: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInputError(f"{option}: {text!r} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadInputError(f'{option}: {text!r} is no JSON object, such as {{"a": 1}}')
    return found
