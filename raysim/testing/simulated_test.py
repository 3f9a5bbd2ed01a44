"""`simulate`: a plain test function becomes many runs on simulated clusters. Never changes what the function says."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, overload

from raysim.faults import Order
from raysim.faults.swarm import Profile
from raysim.journal import Journal
from raysim.tape import Tape
from raysim.testing.asked import asked
from raysim.testing.bundle import read_bundle
from raysim.testing.catalogue import labels_of
from raysim.testing.failures import write_failure
from raysim.testing.frames import shorten
from raysim.testing.properties import PropertyError, Seen, begin_campaign
from raysim.testing.settings import FaultsAsked, settings_of
from raysim.testing.simplify import simplify
from raysim.testing.simulation import Outcome, Simulation
from raysim.testing.target import SIMULATION_OF
from raysim.testing.telling import again, nearest, report

P = ParamSpec("P")
R = TypeVar("R")

SEEDS: Final = 200
"""Runs of a test that does not say how many. The issue's; a small test takes about a second for them."""

NEIGHBOURS: Final = 8
"""Runs that passed which are kept, to compare one that fails with. Ours."""


@overload
def simulate(function: Callable[P, R], /) -> Callable[P, None]: ...
@overload
def simulate(
    *,
    seeds: int | Iterable[int] = SEEDS,
    nodes: int | None = None,
    num_cpus: int | None = None,
    faults: FaultsAsked = None,
    network: dict[str, Any] | None = None,
    order: str | Order | None = None,
    buggify: bool = False,
    within: float = 600.0,
) -> Callable[[Callable[P, R]], Callable[P, None]]: ...
def simulate(
    function: Callable[P, R] | None = None,
    /,
    *,
    seeds: int | Iterable[int] = SEEDS,
    **settings: Any,
) -> Any:
    """Run a test function once for each seed, each time on a fresh simulated cluster, which it finds connected.

    `seeds`: how many (from 0), or which. `nodes` (4) and `num_cpus` (2) of each. `faults`: nothing (no fault); words
    for kinds that are drawn (`"crashes"`, `"network + gcs"`, `"all"`; see `settings.GROUPS`); a list of faults
    (`["kill_node(at=5s)"]`), which strike in each run; or a `raysim.faults.swarm.Swarm`. `network`: changes
    to its costs; `order`: of events of one instant. Both are drawn if not given. `buggify`: marked places of
    raysim take their rare branches. `within`: virtual seconds in which a run must end, once faults have
    stopped (10 s after the start, if they are drawn).

    The same seed gives the same run. The first that fails ends the campaign, and its error says how to replay it.
    Raises ValueError for a fault or an order that there is not.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, None]:
        simulation = Simulation(function, settings_of(**settings))
        chosen = range(seeds) if isinstance(seeds, int) else tuple(seeds)
        _check(function, chosen)

        @functools.wraps(function)
        def campaign(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True
            _Campaign(simulation, chosen, args, kwargs).run()

        # What `raysim hunt` looks for.
        setattr(campaign, SIMULATION_OF, simulation)
        return campaign

    return decorate if function is None else decorate(function)


def _check(function: Callable[..., object], seeds: Sequence[int]) -> None:
    """A test that would pass because nothing of it runs is refused."""
    name = function.__qualname__
    if not seeds:
        raise ValueError(f"{name}: without seeds there is no run; give at least one")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            f"{name} is a coroutine or a generator, which would not run; call asyncio.run in a plain function"
        )


class _Campaign:
    """All runs of one test with its arguments."""

    def __init__(
        self, simulation: Simulation, seeds: Sequence[int], args: Any, kwargs: Any
    ) -> None:
        self._simulation = simulation
        self._seeds = range(asked.seeds) if asked.seeds is not None else seeds
        self._whole = len(self._seeds) >= len(seeds)
        self._args = args
        self._kwargs = kwargs
        self._passing: deque[Outcome] = deque(maxlen=NEIGHBOURS)

    def run(self) -> None:
        __tracebackhide__ = True
        if asked.replay is not None:
            self._replay(asked.replay)
            return
        seen = begin_campaign(labels_of(self._simulation.function))
        for passed, seed in enumerate(self._seeds):
            outcome = self._one(seed)
            if outcome.error is not None:
                raise self._told(outcome, passed)
            self._passing.append(outcome)
        if self._whole:
            _check_hits(seen, len(self._seeds))

    def _one(
        self,
        seed: int,
        profile: Profile | None = None,
        tape: Tape | None = None,
        journal: Journal | None = None,
    ) -> Outcome:
        if asked.begin_run is not None:
            asked.begin_run()
        return self._simulation.run(
            seed,
            profile=profile,
            tape=tape,
            journal=journal,
            args=self._args,
            kwargs=self._kwargs,
        )

    def _replay(self, what: str) -> None:
        __tracebackhide__ = True
        begin_campaign()
        if what.isdigit():
            outcome = self._one(int(what))
        else:
            case = read_bundle(Path(what)).case
            tape = None if case.recording is None else case.recording.tape()
            outcome = self._one(case.seed, case.profile, tape)
        if outcome.error is not None:
            raise self._noted(outcome, report(outcome, again=self._again(what)))

    def _told(self, outcome: Outcome, passed: int) -> BaseException:
        """The error of the simplest run that fails in this way, with all that is known of it."""
        run = functools.partial(self._one, outcome.seed)
        shrunk, passing = simplify(outcome, run)
        # What was printed last is shown: it has to be of the run that is told of.
        last = self._one(shrunk.seed, shrunk.profile, journal=Journal())
        what = str(outcome.seed)
        if last.error is not None:
            test = asked.test or self._simulation.name
            shrunk, what = last, str(write_failure(test, self._simulation, last))
        text = report(
            outcome,
            passed=passed,
            shrunk=shrunk,
            passing=nearest(shrunk, [*passing, *self._passing]),
            fails_again=last.error is not None,
            again=self._again(what),
        )
        return self._noted(shrunk, text)

    def _again(self, what: str) -> list[str]:
        return again(asked.test or self._simulation.name, what)

    @staticmethod
    def _noted(outcome: Outcome, text: str) -> BaseException:
        assert outcome.error is not None, "a run that passed has nothing to tell"
        shorten(outcome.error)
        outcome.error.add_note(text)
        return outcome.error


def _check_hits(seen: Seen, runs: int) -> None:
    __tracebackhide__ = True
    missing = seen.never_hit()
    if missing:
        listed = "".join(f"\n  {label}" for label in missing)
        raise PropertyError(
            f"sometimes: never true in any of {runs} runs:{listed}\n"
            "Have the test come there (more seeds, other faults, another workload), or take the property out."
        )
