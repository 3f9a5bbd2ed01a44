"""`JobSubmissionClient`: Ray's methods, and what they check. Never how a request gets there: see ways, http."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

import raysim
from raysim.api.runtime_env import job_env
from raysim.job_submission.details import JobDetails
from raysim.job_submission.ways import Door, Way
from raysim.spec.submission import JobStatus, Submission

ADDRESS_VARIABLES: Final = (
    "RAYSIM_DASHBOARD_ADDRESS",
    "RAYSIM_API_SERVER_ADDRESS",
    "RAY_API_SERVER_ADDRESS",
)
"""Name the cluster where no address is given."""

_WEB: Final = ("http://", "https://")

_LOOK_S: Final = 0.5
"""Between two looks at a log that is followed."""


class JobSubmissionClient:
    """Submits jobs to a cluster and tells of them. Ray: `ray.job_submission.JobSubmissionClient`.

    `address`: `https://HOST:8265` of a head's dashboard (`http://` of one without TLS), from any machine that has the
    cluster's token; or `auto`, or `HOST:PORT` of a head, on a machine with a node of it. Default: one of
    RAYSIM_DASHBOARD_ADDRESS, RAYSIM_API_SERVER_ADDRESS and RAY_API_SERVER_ADDRESS, or `auto`. `headers` and `cookies`
    go with each request by HTTP. `verify`: True, a certificate of an authority that the system knows, or of that which
    RAYSIM_TLS_CA_CERT names; the file or folder of authorities instead; False, any.

    Methods raise ConnectionError where no cluster answers, or not one with such a certificate, RuntimeError for what it
    refuses, ValueError and TypeError for bad arguments; the constructor AuthenticationError where there is no token.
    """

    def __init__(
        self,
        address: str | None = None,
        create_cluster_if_needed: bool = False,
        cookies: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        verify: str | bool | None = True,
    ) -> None:
        if create_cluster_if_needed:
            raise ValueError("A client starts no cluster. Start one with: raysim start --head")
        found = (os.environ.get(variable) for variable in ADDRESS_VARIABLES)
        self._address = address or next((one for one in found if one), "auto")
        self._metadata = dict(metadata or {})
        self._way = self._make_way(cookies or {}, headers or {}, verify)

    def _make_way(
        self, cookies: Mapping[str, str], headers: Mapping[str, str], verify: str | bool | None
    ) -> Way:
        if not is_web(self._address):
            return Door(self._address)
        from raysim.job_submission.http import Web  # Here: only who asks by HTTP pays for it.

        return Web(self._address, cookies, headers, verify)

    def get_address(self) -> str:
        return self._address

    def get_version(self) -> str:
        return raysim.__version__

    def submit_job(
        self,
        *,
        entrypoint: str,
        job_id: str | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        submission_id: str | None = None,
        entrypoint_num_cpus: float | None = None,
        entrypoint_num_gpus: float | None = None,
        entrypoint_memory: int | None = None,
        entrypoint_resources: Mapping[str, float] | None = None,
        entrypoint_label_selector: Mapping[str, str] | None = None,
    ) -> str:
        """Its id. The entrypoint is a command for a shell; it runs at the head, or, where it asks for resources or
        labels, on a node that has them. `working_dir` and `py_modules` may be folders of this machine."""
        env = dict(runtime_env or {})
        text, packages = job_env(env)
        return self._way.submit(
            Submission(
                submission_id=submission_id or job_id or "",
                entrypoint=entrypoint,
                metadata=_strings("metadata", {**self._metadata, **(metadata or {})}),
                runtime_env=msgspec.json.decode(text) if text else {},
                num_cpus=entrypoint_num_cpus or 0,
                num_gpus=entrypoint_num_gpus or 0,
                memory=entrypoint_memory or 0,
                resources=dict(entrypoint_resources or {}),
                labels=_strings("entrypoint_label_selector", entrypoint_label_selector or {}),
            ),
            packages,
        )

    def stop_job(self, job_id: str) -> bool:
        """Whether it ran, or was about to: SIGTERM to its processes, SIGKILL to what is left after 3 s."""
        return self._way.stop(job_id)

    def delete_job(self, job_id: str) -> bool:
        """Forget one that has ended, with its log."""
        return self._way.delete(job_id)

    def get_job_info(self, job_id: str) -> JobDetails:
        return msgspec.convert(self._way.job(job_id), JobDetails)

    def list_jobs(self) -> list[JobDetails]:
        """Drivers that were started by hand, too."""
        return msgspec.convert(self._way.jobs(), list[JobDetails])

    def list_rows(self) -> list[dict[str, Any]]:
        """As `list_jobs`, as plain data."""
        return self._way.jobs()

    def get_job_status(self, job_id: str) -> JobStatus:
        return self.get_job_info(job_id).status

    def get_job_logs(self, job_id: str) -> str:
        """What its entrypoint has printed: the last 32 to 64 MiB."""
        data, offset = b"", 0
        while True:
            more, offset = self._way.log(job_id, offset)
            if not more:
                return data.decode(errors="replace")
            data += more

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        """What it has printed, and what it prints until it has ended."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        offset = 0
        while True:
            # Before the log is read: what comes after the last look of all is nothing.
            ended = self.get_job_status(job_id).is_terminal()
            more, offset = self._way.log(job_id, offset)
            text = decoder.decode(more)
            if text:
                yield text
            elif ended:
                return
            else:
                await asyncio.sleep(_LOOK_S)


def is_web(address: str) -> bool:
    return address.startswith(_WEB)


def _strings(what: str, given: Mapping[Any, Any]) -> dict[str, str]:
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"{what} must be of strings, but it has {key!r}: {value!r}.")
    return dict(given)
