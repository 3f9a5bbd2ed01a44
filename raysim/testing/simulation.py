"""One run of a test on a simulated cluster of its own: a seed and a profile in, an outcome out. Never a campaign."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

import raysim
from raysim.api.defaults import Defaults, set_defaults
from raysim.api.init_options import node_options
from raysim.api.session import current_world
from raysim.faults.swarm import Profile
from raysim.journal import Journal, Level
from raysim.tape import Recorder, Recording, SeededTape, Tape
from raysim.testing.properties import seen
from raysim.testing.settings import Settings

ENTRYPOINT: Final = "simulated test"
"""What the job was started by. Messages carry it: the words on the command line would make a replay another run."""


@contextmanager
def simulated(
    profile: Profile | None = None,
    *,
    seed: int = 0,
    tape: Tape | None = None,
    journal: Journal | None = None,
    **world: Any,
) -> Iterator[Any]:
    """A simulated cluster as the profile says, for as long as the `with` lasts; gives the world.

    `tape`: where its choices come from, instead of the seed. `world`: more options of the simulator. What the
    program calls itself of `init` and `shutdown` stays within it. Raises RuntimeError while connected.
    """
    if tape is not None:
        world["tape"] = tape
    profile = profile or Profile()
    start = profile.init_arguments(**world)
    node = node_options(
        "sim", num_cpus=profile.cpus, object_store_memory=profile.object_store_memory
    )
    set_defaults(
        Defaults(
            backend="sim",
            nodes=[node] * profile.nodes,
            seed=seed,
            world=start["world"],
            journal=journal,
            entrypoint=ENTRYPOINT,
            started=True,
        )
    )
    try:
        raysim.init(**start, seed=seed, journal=journal)
        yield current_world()
    finally:
        try:
            raysim.shutdown()
        finally:
            set_defaults(Defaults())


class Outcome(msgspec.Struct, frozen=True):
    """What one run came to."""

    seed: int
    profile: Profile
    error: BaseException | None
    """What the test raised; None: it passed."""
    journal: Journal
    recording: Recording | None = None
    """Every choice of the run, if it was asked for."""
    ended_ns: int = 0
    """On the run's clock, when the test ended."""


class Simulation:
    """A test function that uses Ray's API, and what its runs are made of."""

    def __init__(self, function: Callable[..., object], settings: Settings) -> None:
        self.function = function
        self.settings = settings
        self.name = f"{function.__module__}::{function.__qualname__}"

    def run(
        self,
        seed: int,
        *,
        profile: Profile | None = None,
        tape: Tape | None = None,
        record: bool = False,
        journal: Journal | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Run the function once. The same seed and profile (and tape) give the same run.

        Without a profile one is drawn. `journal`: instead of one that has the notes, and no digest. Whatever is
        no failure (a skip, an interrupt) is raised.
        """
        drawn: Tape = tape or SeededTape(seed)
        recorder = Recorder(drawn, seed) if record else None
        source = recorder or drawn
        profile = self.settings.profile(source) if profile is None else profile
        journal = journal or Journal(Level.NOTES, digest=False)
        taped = None if recorder is None and tape is None else source
        error: BaseException | None = None
        began, ended_ns = False, 0
        seen().begin_run()
        try:
            with simulated(
                profile, seed=seed, tape=taped, journal=journal, **self.settings.limits()
            ) as world:
                began = True
                try:
                    self.function(*args, **(kwargs or {}))
                    _raise_caught()
                finally:
                    ended_ns = world.clock.now_ns
        except _failures() as raised:
            if not began:
                raise  # There can be no such cluster: that is no failure of the test.
            error = raised
        recording = None if recorder is None else recorder.recording()
        return Outcome(seed, profile, error, journal, recording, ended_ns)


def _failures() -> tuple[type[BaseException], ...]:
    """What a test raises when it fails. Anything else, a skip or an interrupt, ends the campaign at once.

    What `pytest.fail` raises is no Exception. A program that raises it has imported pytest.
    """
    pytest = sys.modules.get("pytest")
    return (Exception,) if pytest is None else (Exception, pytest.fail.Exception)


def _raise_caught() -> None:
    """A program may have caught what `always` raised, or a task that raised it was run again."""
    broken = seen().broken
    if broken:
        raise broken[0]
