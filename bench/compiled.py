"""A pass of a compiled graph beside the same chain of actor calls, on `cluster`. Never asserted: a ratio is printed.

python -m bench.compiled
"""

import statistics
from collections.abc import Callable

import raysim
from bench.workloads import rate
from raysim.dag import InputNode

ACTORS = 3
IN_FLIGHT = 10
"""Passes, or chains, that are begun before the first result is asked for."""

ROUNDS = 11
SECONDS = 0.3
"""Of each measurement. The two take turns, so that both see the same machine."""

Rates = dict[str, list[float]]
"""Measurement -> chains, or passes, a second, one figure a round."""


@raysim.remote(num_cpus=0)
class Stage:
    def work(self, value: int) -> int:
        return value


def compiled_and_called(rounds: int = ROUNDS) -> dict[str, Rates]:
    """`passes` and `calls`, each one at a time and several in flight. Of a session that is started."""
    stages = [Stage.remote() for _ in range(ACTORS)]
    with InputNode() as given:
        node = given
        for stage in stages:
            node = stage.work.bind(node)
    graph = node.experimental_compile()

    def call() -> raysim.ObjectRef:
        value = 1
        for stage in stages:
            value = stage.work.remote(value)
        return value

    def start() -> object:
        return graph.execute(1)

    def in_flight(begin: Callable[[], object], count: int) -> Callable[[], int]:
        def several() -> int:
            raysim.get([begin() for _ in range(count)])
            return count

        return several

    results: dict[str, Rates] = {}
    for _ in range(rounds):
        for name, count in (("one at a time", 1), (f"{IN_FLIGHT} in flight", IN_FLIGHT)):
            for kind, begin in (("passes", start), ("calls", call)):
                found = rate(in_flight(begin, count), SECONDS)
                results.setdefault(name, {}).setdefault(kind, []).append(found)
    graph.teardown()
    return results


def table(results: dict[str, Rates]) -> str:
    lines = [
        f"| chain of {ACTORS} actors, a second | compiled | calls | ratio |",
        "|---|---|---|---|",
    ]
    for name, rates in results.items():
        passes, calls = rates["passes"], rates["calls"]
        # Of neighbours in time: on a machine that others use, too, rates drift and ratios do not.
        ratio = statistics.median(ours / theirs for ours, theirs in zip(passes, calls, strict=True))
        rate_of = statistics.median
        lines.append(f"| {name} | {rate_of(passes):,.0f} | {rate_of(calls):,.0f} | {ratio:.2f}x |")
    return "\n".join(lines)


def main() -> None:
    raysim.init(backend="cluster", num_cpus=2)
    try:
        print(table(compiled_and_called()))
    finally:
        raysim.shutdown()


if __name__ == "__main__":
    main()
