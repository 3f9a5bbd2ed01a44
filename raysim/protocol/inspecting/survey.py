"""Asks everybody who knows a part of the state that somebody wants to see, and puts it together. Never sends itself.

The GCS knows nodes, jobs, placement groups, actors and what has ended; raylets know their processes and
environments; owners know their tasks and objects. So first the GCS is asked, then the nodes that live,
then the processes that live there.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import msgspec

from raysim.protocol.messages import Inspected, InspectGcs, InspectNode, InspectProcess, Message
from raysim.protocol.messages.state import (
    ActorSeen,
    AnyRow,
    NodeSeen,
    ProcessSeen,
    TaskSeen,
)
from raysim.spec.address import Address
from raysim.spec.state import Inquiry, Noun

OWN_BY_GCS = (Noun.RUNTIME_ENVS, Noun.OBJECTS)
"""Nouns of which the GCS knows nothing."""

WITH_PROCESSES = (Noun.ACTORS, Noun.TASKS, Noun.OBJECTS, Noun.METRICS, Noun.SPANS)
"""Nouns of which processes know a part."""

WITH_PIDS = (Noun.ACTORS, Noun.TASKS, Noun.JOBS, Noun.WORKERS)
"""Nouns that are shown with process ids, which raylets know."""

Make = Callable[[int], Message]


class Ask(Protocol):
    def __call__(
        self, to: Address, make: Make, answer: Callable[[Inspected | None, bool], None]
    ) -> None:
        """`answer` hears None when there is none in time, or, as is said then, because `to` has ended."""


class Findings(msgspec.Struct):
    """What was found. `left_out`: rows above the limits of those who were asked."""

    rows: list[AnyRow] = []
    left_out: int = 0
    asked: int = 0
    silent: list[str] = []
    """Who did not answer in time; nodes that have just been lost, too."""
    told_by: dict[bytes, Address] = {}
    """Of tasks and actors of one id that was looked for: the process whose they are, which told of them."""


class Survey:
    """One question of a user's."""

    def __init__(
        self,
        ask: Ask,
        gcs: Address,
        inquiry: Inquiry,
        done: Callable[[Findings], None],
    ) -> None:
        self._ask = ask
        self._gcs = gcs
        self._noun = inquiry.noun
        self._limit = inquiry.limit
        self._only = bytes.fromhex(inquiry.only)
        self._wanted = inquiry.wanted
        self._done = done
        self._found = Findings()
        self._open = 0

    def begin(self) -> None:
        noun, limit = self._noun, self._limit
        nouns = [Noun.NODES]
        if noun not in (*OWN_BY_GCS, Noun.NODES):
            nouns.append(noun)
        if noun in WITH_PIDS and noun is not Noun.WORKERS:
            nouns.append(Noun.WORKERS)
        make = partial(InspectGcs, nouns=nouns, limit=limit, only=self._only, wanted=self._wanted)
        self._put([(self._gcs, "the GCS", lambda number: make(number))], self._ask_nodes)

    def _ask_nodes(self) -> None:
        noun = self._noun
        wanted = [Noun.RUNTIME_ENVS] if noun is Noun.RUNTIME_ENVS else []
        if noun in (*WITH_PIDS, *WITH_PROCESSES):
            wanted = [Noun.WORKERS]
        if noun is Noun.SPANS:
            wanted.append(noun)
        states = [row.state for row in self._found.rows if isinstance(row, NodeSeen)]
        alive = [state.info for state in states if state.alive] if wanted else []
        self._put(
            [
                (info.address, f"node {info.name}", lambda number: InspectNode(number, wanted))
                for info in alive
            ],
            self._ask_processes,
        )

    def _ask_processes(self) -> None:
        processes: list[ProcessSeen] = []
        if self._noun in WITH_PROCESSES:
            rows = (row for row in self._found.rows if isinstance(row, ProcessSeen))
            processes = [row for row in rows if not row.end_ns]
        noun, limit, only, wanted = self._noun, self._limit, self._only, self._wanted
        self._put(
            [
                (
                    row.process,
                    f"process {row.process.worker_id.hex()[:12]}",
                    lambda number: InspectProcess(number, noun, limit, only, wanted),
                )
                for row in processes
            ],
            lambda: self._done(self._found),
            may_end=True,
        )

    def _put(
        self,
        questions: Iterable[tuple[Address, str, Make]],
        then: Callable[[], None],
        may_end: bool = False,
    ) -> None:
        """Ask all of them at once; `then` follows when each was answered, or will not be.

        `may_end`: who has ended is not missed. A process then knows nothing any more; but with a node its
        processes are missing, and without the GCS everything is.
        """
        asked = list(questions)
        self._open = len(asked)
        self._found.asked += len(asked)
        if not asked:
            then()
        for to, who, make in asked:
            self._ask(to, make, partial(self._answered, to, who, may_end, then))

    def _answered(
        self,
        to: Address,
        who: str,
        may_end: bool,
        then: Callable[[], None],
        answer: Inspected | None,
        ended: bool,
    ) -> None:
        if answer is not None:
            self._found.rows += answer.rows
            self._found.left_out += answer.total - len(answer.rows)
            if self._only and to != self._gcs:
                for row in answer.rows:
                    if isinstance(row, TaskSeen):
                        self._found.told_by[row.task_id] = to
                    elif isinstance(row, ActorSeen):
                        self._found.told_by[row.actor_id] = to
        elif not (ended and may_end):
            self._found.silent.append(who)
        self._open -= 1
        if self._open == 0:
            then()
