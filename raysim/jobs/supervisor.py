"""The actor that runs a job's entrypoint beside it, and writes down what becomes of it. Never restarted.

As Ray's JobSupervisor: a detached actor in the job's runtime environment, which ends with its job.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from raysim.api.session import connected
from raysim.api.submitted_job import SUBMISSION_ID, VARIABLE, SubmittedJob
from raysim.jobs.entrypoint import Entrypoint
from raysim.jobs.log import LogWriter, read_log
from raysim.spec.submission import KEYS, JobStatus, Submission, decode, encode

_TOLD_BYTES: Final = 20_000
"""Of the end of a log, in the message of a job that failed. Ray's."""

STOP_VARIABLE: Final = "RAY_JOB_STOP_WAIT_TIME_S"
_STOP_S: Final = 3.0
"""From SIGTERM to SIGKILL; that variable of the submission's environment says otherwise. Ray's."""


class JobSupervisor:
    def __init__(self, record: bytes) -> None:
        backend = connected()
        context = backend.context_info()
        folder = Path(context.session_dir, f"node-{context.node_id[:12]}")
        self._submission = decode(record).became(
            JobStatus.RUNNING, node_id=context.node_id, folder=str(folder)
        )
        self._save()
        self._log = LogWriter(folder, self._submission.submission_id)
        try:
            environ = environment(self._submission, context.gcs_address)
            self._entrypoint = Entrypoint(self._submission.entrypoint, environ, self._log)
        except OSError as error:
            self._end(JobStatus.FAILED, f"The entrypoint could not be started: {error}.", None)
            raise
        threading.Thread(target=self._supervise, name="job-supervisor", daemon=True).start()

    def stop(self) -> None:
        variables = self._submission.runtime_env.get("env_vars", {})
        grace = variables.get(STOP_VARIABLE) or os.environ.get(STOP_VARIABLE) or _STOP_S
        self._entrypoint.stop(float(grace))

    def _supervise(self) -> None:
        code = self._entrypoint.wait()
        if self._entrypoint.stopping:
            self._end(JobStatus.STOPPED, "", code)
        elif code == 0:
            self._end(JobStatus.SUCCEEDED, "", code)
        else:
            self._end(JobStatus.FAILED, self._why(code), code)
        record = connected().current_actor()
        assert record is not None, "this thread belongs to an actor"
        connected().kill_actor(record.actor_id, no_restart=True)

    def _why(self, code: int) -> str:
        submission = self._submission
        folder = Path(submission.folder)
        _, end = read_log(folder, submission.submission_id, 0)
        last, _ = read_log(folder, submission.submission_id, max(0, end - _TOLD_BYTES))
        ended = f"failed with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
        return (
            f"Job entrypoint command {ended}, last available logs (truncated to {_TOLD_BYTES:,} chars):\n"
            + last[-_TOLD_BYTES:].decode(errors="replace")
        )

    def _end(self, status: JobStatus, message: str, code: int | None) -> None:
        error_type = "JOB_ENTRYPOINT_COMMAND_ERROR" if status is JobStatus.FAILED else None
        self._submission = self._submission.became(
            status, message, exit_code=code, end_time=now_ms(), error_type=error_type
        )
        self._save()

    def _save(self) -> None:
        submission = self._submission
        connected().kv_put(KEYS, submission.key, encode(submission), overwrite=True)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def environment(submission: Submission, address: str) -> dict[str, str]:
    """This worker's, which is in the job's runtime environment, and how the entrypoint finds its cluster."""
    name = {"job_name": submission.submission_id, SUBMISSION_ID: submission.submission_id}
    told = SubmittedJob(submission.runtime_env, {**name, **submission.metadata})
    own = os.path.dirname(sys.executable)
    paths = [*_paths(), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PATH": os.pathsep.join([own, os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(os.pathsep.join(paths).split(os.pathsep))),
        "PYTHONUNBUFFERED": "1",
        "RAYSIM_ADDRESS": address,
        "RAY_ADDRESS": address,
        VARIABLE: msgspec.json.encode(told).decode(),
    }


def _paths() -> list[str]:
    """Where this worker finds modules that its interpreter would not find by itself."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return [
        path
        for path in sys.path
        if path
        and path not in own
        and not path.endswith((".zip", "/lib-dynload"))
        and path not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    ]
