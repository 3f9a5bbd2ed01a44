"""`explain(id)`: why a thing of the cluster is as it is. Ray has nothing like it. Never changes anything."""

from typing import Final

from raysim.backend import Backend
from raysim.exceptions import RaySystemError
from raysim.spec.explanation import Explanation, Reason
from raysim.spec.state import Noun
from raysim.spec.submission import ACTORS, JobStatus, Submission
from raysim.util.state.api import list_actors, list_jobs
from raysim.util.state.client import connected
from raysim.util.state.exception import RayStateApiException, ServerUnavailable
from raysim.util.state.options import Filter
from raysim.util.state.submitted import submission

BY_LENGTH: Final[dict[int, tuple[Noun, ...]]] = {
    4: (Noun.JOBS,),
    16: (Noun.ACTORS,),
    18: (Noun.PLACEMENT_GROUPS,),
    24: (Noun.TASKS,),
    28: (Noun.OBJECTS, Noun.NODES, Noun.WORKERS),
}
"""What an id of so many bytes may be of."""


class UnknownIdError(RayStateApiException):
    """Nobody knows anything of this id."""


def explain(id: str, address: str | None = None) -> Explanation:
    """Why the task, object, actor, placement group, node, worker or job of this id waits, failed or was lost.

    `id`: in hex and in full, as `list_tasks()` and the others show it, or the submission id of a job. Asks the owner,
    the raylets, the GCS and the workers that are concerned. `str()` of the answer is a readable text. Raises
    RayStateApiException for an id that nobody knows, ConnectionError where this process is connected to no cluster.
    """
    backend = connected(address)
    wanted = id.strip()
    nouns = _kinds(wanted)
    try:
        for noun in nouns:
            found = backend.explain_id(noun, wanted.lower())
            if found is not None:
                return found
        submitted = submission(backend, wanted)
    except RaySystemError as error:
        raise ServerUnavailable(str(error)) from error
    if submitted is not None:
        return _of_submission(backend, submitted)
    raise UnknownIdError(_unknown(wanted, nouns))


def _kinds(wanted: str) -> tuple[Noun, ...]:
    try:
        return BY_LENGTH.get(len(bytes.fromhex(wanted)), ())
    except ValueError:
        return ()


def _unknown(wanted: str, nouns: tuple[Noun, ...]) -> str:
    if not nouns:
        lengths = ", ".join(
            f"{2 * length} digits ({' or '.join(_one(noun) for noun in kinds)})"
            for length, kinds in BY_LENGTH.items()
        )
        return (
            f"{wanted!r} is no id, and no job was submitted under it. Ids are hexadecimal and given in full: "
            f"{lengths}. `raysim list` shows them."
        )
    looked = ", ".join(_words(noun) for noun in nouns)
    lists = ", ".join(f"`raysim list {_words(noun).replace(' ', '-')}`" for noun in nouns)
    return (
        f"Nobody knows {wanted}: it was looked for among {looked}, and among submitted jobs. What was freed, or ended "
        f"long ago or with the program that submitted it, is not known any more; what there is shows {lists}."
    )


def _words(noun: Noun) -> str:
    return noun.value.replace("_", " ")


def _one(noun: Noun) -> str:
    return _words(noun).removesuffix("s")


def _of_submission(backend: Backend, job: Submission) -> Explanation:
    """A submitted job: what its supervisor, and then its driver, does."""
    what = f"Job {job.submission_id} ({job.entrypoint})"
    if job.status.is_terminal():
        reason = Reason.READY if job.status is JobStatus.SUCCEEDED else Reason.FAILED
        code = "" if job.exit_code is None else f", exit code {job.exit_code}"
        text = f"{what}: {job.status}{code}. {job.message}"
        return Explanation(reason=reason, text=text)
    because: list[Explanation] = []
    drivers = [row for row in list_jobs(detail=True) if row.submission_id == job.submission_id]
    ids = [(Noun.JOBS, row.job_id) for row in drivers if row.job_id]
    if not ids:
        mine: list[Filter] = [("name", "=", job.submission_id), ("ray_namespace", "=", ACTORS)]
        ids = [(Noun.ACTORS, row.actor_id) for row in list_actors(filters=mine, detail=True)]
    for noun, identity in ids:
        found = backend.explain_id(noun, identity)
        because += [] if found is None else [found]
    reason = because[0].reason if because else Reason.MESSAGE_UNDER_WAY
    return Explanation(reason=reason, text=f"{what} is {job.status}:", because=because)
