"""A pass of a compiled graph beside the same chain of actor calls, on `cluster`. Never asserted: ratios are printed.

python -m bench.compiled [actors ...]
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import raysim
from bench.rate import rate
from raysim.dag import CompiledDAG, InputNode

CHAINS = (1, 3, 5)
"""Actors in a row."""

IN_FLIGHT = 10
"""Passes, or chains, that are begun before the first result is asked for."""

ROUNDS = 11
SECONDS = 0.3
"""Of each measurement. The two take turns, so that both see the same machine."""


class Measured(NamedTuple):
    """Of passes, or of chains of calls."""

    rate: float
    """A second."""
    cpu: float
    """Seconds of the driver and the actors for each."""


Rounds = list[dict[str, Measured]]
"""`passes` and `calls` of each round."""


class Stage:
    def work(self, value: int) -> int:
        return value

    def cpu(self) -> float:
        """Seconds that this process has used."""
        return time.process_time()


class Chain:
    """The same actors, joined both ways. Of a session that is started."""

    def __init__(self, actors: int) -> None:
        stage_class = raysim.remote(num_cpus=0)(Stage)
        self.stages: list[Any] = [stage_class.remote() for _ in range(actors)]
        with InputNode() as given:
            node = given
            for stage in self.stages:
                node = stage.work.bind(node)
        self.graph: CompiledDAG = node.experimental_compile()

    def start(self) -> Any:
        return self.graph.execute(1)

    def call(self) -> Any:
        value: Any = 1
        for stage in self.stages:
            value = stage.work.remote(value)
        return value

    def measure(self, begin: Callable[[], Any], in_flight: int) -> Measured:
        done = 0

        def several() -> int:
            nonlocal done
            raysim.get([begin() for _ in range(in_flight)])
            done += in_flight
            return in_flight

        before = self._cpu()
        found = rate(several, SECONDS)
        return Measured(found, (self._cpu() - before) / done)

    def rounds(self, count: int, in_flight: int) -> Rounds:
        ways = {"passes": self.start, "calls": self.call}
        return [
            {name: self.measure(begin, in_flight) for name, begin in ways.items()}
            for _ in range(count)
        ]

    def _cpu(self) -> float:
        used: list[float] = raysim.get([stage.cpu.remote() for stage in self.stages])
        return time.process_time() + sum(used)


def row(name: str, rounds: Rounds) -> str:
    """Medians; of ratios, those of neighbours in time: on a machine that others use, rates drift, ratios do not."""

    def median(of: Callable[[dict[str, Measured]], float]) -> float:
        return statistics.median(of(found) for found in rounds)

    cells = [
        name,
        f"{median(lambda r: r['passes'].rate):,.0f}",
        f"{median(lambda r: r['calls'].rate):,.0f}",
        f"{median(lambda r: r['passes'].rate / r['calls'].rate):.2f}x",
        f"{median(lambda r: r['passes'].cpu) * 1e6:,.0f} us",
        f"{median(lambda r: r['calls'].cpu) * 1e6:,.0f} us",
        f"{median(lambda r: r['calls'].cpu / r['passes'].cpu):.2f}x",
    ]
    return f"| {' | '.join(cells)} |"


def main(chains: list[int]) -> None:
    print("| chains | compiled /s | calls /s | ratio | CPU compiled | CPU calls | ratio |")
    print("|---|---|---|---|---|---|---|")
    raysim.init(backend="cluster", num_cpus=2)
    try:
        for actors in chains:
            chain = Chain(actors)
            for name, in_flight in (("one at a time", 1), (f"{IN_FLIGHT} in flight", IN_FLIGHT)):
                print(row(f"{actors}, {name}", chain.rounds(ROUNDS, in_flight)), flush=True)
            chain.graph.teardown()
    finally:
        raysim.shutdown()


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or list(CHAINS))
