"""What was asked for on the command line, as data. Never parses arguments, never runs anything.

Imports nothing heavy by itself: `raysim --help` makes none of these.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim.scenario.loading import Experiment
    from raysim.scenario.problems import Problem

SIMULATOR = "sim"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A target and how to run it. None where the target decides."""

    target: str
    args: tuple[str, ...] = ()
    """The program's own."""
    backend: str = SIMULATOR
    nodes: int | None = None
    cpus: float | None = None
    seed: int | None = None
    network: str | None = None
    policy: str | None = None
    queue: str | None = None
    eviction: str | None = None
    faults: tuple[str, ...] = ()
    time_scale: float = 1.0
    case: str = ""
    """Of a scenario that sweeps: the run that is wanted."""

    def load(self) -> Experiment:
        """The experiment. Raises ScenarioError with what is wrong in the file or in the options."""
        from raysim.scenario.loading import load_experiment
        from raysim.scenario.problems import ScenarioError

        problems = list(self._problems())
        if problems:
            raise ScenarioError(problems)
        experiment = load_experiment(Path(self.target), self.args, self.case, **self._changes())
        return experiment.with_faults(self.faults) if self.faults else experiment

    def command(self) -> str:
        """The line that runs it again. What changes no figure (`--out`, `--json`) is not in it."""
        return shlex.join(["raysim", "run", *self.arguments()])

    def arguments(self) -> list[str]:
        """The same request as arguments of `raysim run`."""
        options = {
            "--case": self.case or None,
            "--backend": None if self.backend == SIMULATOR else self.backend,
            "--nodes": self.nodes,
            "--cpus": None if self.cpus is None else f"{self.cpus:g}",
            "--seed": self.seed,
            "--time-scale": None if self.time_scale == 1 else f"{self.time_scale:g}",
            "--network": self.network,
            "--policy": self.policy,
            "--queue": self.queue,
            "--eviction": self.eviction,
        }
        given = [(name, str(value)) for name, value in options.items() if value is not None]
        given += [("--fault", fault) for fault in self.faults]
        words = [self.target, *(word for pair in given for word in pair)]
        return [*words, "--", *self.args] if self.args else words

    def _changes(self) -> dict[str, Any]:
        from raysim.policies import located

        changes: dict[str, Any] = {
            "nodes": self.nodes,
            "cpus": self.cpus,
            "seed": self.seed,
            "policy": self.policy and located(self.policy, Path.cwd()),
            "queue": self.queue and located(self.queue, Path.cwd()),
            "eviction": self.eviction and located(self.eviction, Path.cwd()),
            "network": self._network(),
        }
        return {name: value for name, value in changes.items() if value is not None}

    def _network(self) -> object:
        from raysim.scenario.machine import load_network
        from raysim.scenario.model import Network

        if self.network is not None and _is_file(self.network):
            return load_network(Path(self.network))
        return Network() if self.network == "lan" else self.network

    def _problems(self) -> Iterator[Problem]:
        from importlib.metadata import entry_points

        from raysim.backend import GROUP
        from raysim.config import Config
        from raysim.policies import create, located
        from raysim.policies.eviction import create_eviction
        from raysim.policies.orders import create_order
        from raysim.scenario.problems import Problem

        backends = sorted(entry.name for entry in entry_points(group=GROUP))
        yield from _unknown("--backend", self.backend, backends)
        named = (
            ("--policy", self.policy, lambda text: create(text, Config())),
            ("--queue", self.queue, create_order),
            ("--eviction", self.eviction, create_eviction),
        )
        for option, text, make in named:
            try:
                if text is not None:
                    make(located(text, Path.cwd()))
            except ValueError as error:
                yield Problem(option, None, str(error))
        if self.network is not None and not _is_file(self.network):
            yield from _unknown("--network", self.network, ["lan", "free", "FILE.yaml"])
        if self.args and Path(self.target).suffix.lower() != ".py":
            what = f"only a program (.py) takes arguments of its own, such as {self.args[0]!r}"
            yield Problem(self.target, None, what)


def _is_file(network: str) -> bool:
    return Path(network).suffix.lower() in (".yaml", ".yml")


def _unknown(option: str, word: str, known: list[str]) -> Iterator[Problem]:
    from raysim.scenario.problems import Problem, listing, nearest

    if word not in known:
        meant = nearest(word, known)
        hint = "" if meant else f"; known are {listing(known)}"
        install = f" (a backend comes with: pip install 'raysim-core[{word}]')"
        more = install if option == "--backend" and not meant else ""
        yield Problem(option, None, f"there is no {word!r}{hint}{more}", meant)
