"""Speed of the simulator, and what it has to reach: the last table of `python -m bench`. Never the cluster.

    python -m bench.simulated [--long]

Bars are told beside what was measured, and never asserted. Where it says CPU, other processes on the machine
matter little.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import raysim
from raysim.backend import RemoteTarget, TaskOptions
from raysim.runtime.current import current
from raysim.spec.task import Work

ROOT = Path(__file__).parent.parent

SYNTHETIC = 20_000
MANY_NODES = 1_000
ON_MANY_NODES = 200_000
PYTHON = 10_000
NESTED = 4
SEEDS = 200
OPERATIONS = 30
FAULTS = 5
GIB = 1 << 30
HOLDS = {True: "holds", False: "does not hold", None: ""}


def cpu_seconds() -> float:
    """Of this process. While a simulated world runs, the clocks of `time` are virtual for its driver."""
    now = os.times()
    return now.user + now.system


def synthetic_tasks(nodes: int = 16, tasks: int = SYNTHETIC) -> float:
    """1-CPU tasks of 10 s without Python on nodes of 16 CPUs, submitted at once: tasks a CPU second."""
    raysim.init(backend="sim", nodes=nodes, num_cpus=16)
    try:
        backend = current()
        assert backend is not None
        target = RemoteTarget(synthetic_tasks, "synthetic")
        options = TaskOptions(work=Work(10_000_000_000, (0,)))
        start = cpu_seconds()
        refs = [backend.submit_task(target, options, (), {})[0] for _ in range(tasks)]
        backend.get(refs, None)
    finally:
        raysim.shutdown()
    return tasks / (cpu_seconds() - start)


def nested_python_tasks() -> float:
    """Real functions, each of which submits `NESTED` more and waits for them: tasks a CPU second."""
    raysim.init(backend="sim", nodes=4, num_cpus=16)

    @raysim.remote
    def leaf(number: int) -> int:
        return number

    @raysim.remote
    def parent(number: int) -> int:
        return sum(raysim.get([leaf.remote(number + i) for i in range(NESTED)]))

    parents = PYTHON // (NESTED + 1)
    try:
        start = cpu_seconds()
        raysim.get([parent.remote(number) for number in range(parents)])
        lasted = cpu_seconds() - start
    finally:
        raysim.shutdown()
    return parents * (NESTED + 1) / lasted


def campaign_seeds() -> float:
    """Random programs of 30 operations on 4 nodes that suffer 5 faults, checks and all: seeds a CPU second."""
    from raysim.faults.swarm import Budget, Swarm
    from raysim.tape import SeededTape
    from raysim.testing.campaign import ProtocolCampaign
    from raysim.testing.campaign.driver import KINDS
    from raysim.testing.case import Case
    from raysim.testing.memory import collect_after, settled
    from raysim.testing.running import run_case

    budget = Budget(faults=FAULTS, kinds=KINDS)
    swarm = Swarm(nodes=(4, 4), budget=budget, small_stores=False)
    target = ProtocolCampaign(OPERATIONS, swarm)
    cases: list[Case] = []
    seed = 0
    while len(cases) < SEEDS:
        case = Case.sampled(target, SeededTape(seed), seed)
        if len(case.profile.faults) == FAULTS:
            cases.append(case)
        seed += 1
    run_case(target, cases[0])  # Imports, and what the first one finds cold.
    with settled():  # As in a hunt.
        start = cpu_seconds()
        for number, case in enumerate(cases):
            run_case(target, case)
            collect_after(number)
        lasted = cpu_seconds() - start
    return SEEDS / lasted


class Used(NamedTuple):
    """By a process that has ended."""

    cpu_s: float
    rss_bytes: int


class Line(NamedTuple):
    """Something measured, beside what it has to be."""

    name: str
    found: str
    bar: str = "-"
    holds: bool | None = None
    """None: there is no bar."""


def run_alone(*arguments: str) -> Used:
    """`raysim run` in a process of its own."""
    command = [sys.executable, "-m", "raysim", "run", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed with exit code {process.returncode}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run_tasks(count: int, nodes: int = MANY_NODES) -> Used:
    """So many tasks of a minute on nodes of 16 CPUs, with all that a run leaves."""
    text = (ROOT / "scenarios" / "million-tasks.yaml").read_text(encoding="utf-8")
    changed = text.replace("count: 1000000", f"count: {count}")
    changed = changed.replace("nodes: 1000\n", f"nodes: {nodes}\n")
    assert f"count: {count}" in changed
    assert f"nodes: {nodes}\n" in changed
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tasks.yaml"
        file.write_text(changed, encoding="utf-8")
        return run_alone(str(file), "--out", str(Path(folder) / "run"))


def quick() -> list[Line]:
    """Under a minute in all."""
    seeds = campaign_seeds()
    nested = nested_python_tasks()
    few, many = synthetic_tasks(), synthetic_tasks(MANY_NODES, ON_MANY_NODES)
    day = run_alone("scenarios/idle-day.yaml", "--no-out")
    return [
        Line("campaign, 4 nodes, 30 operations, 5 faults", f"{seeds:.0f} seeds/CPU s", "60", seeds >= 60),
        Line("real tasks with nested get", f"{nested:,.0f} tasks/CPU s", "15,000", nested >= 15_000),
        Line("24 hours that are mostly idle", f"{day.cpu_s:.1f} CPU s", "10 s", day.cpu_s < 10),
        Line(f"{SYNTHETIC:,} tasks without Python, 16 nodes", f"{few:,.0f} tasks/CPU s"),
        Line(f"{ON_MANY_NODES:,} of them, {MANY_NODES:,} nodes", f"{many:,.0f} tasks/CPU s"),
    ]  # fmt: skip


def long() -> list[Line]:
    """Some minutes."""
    grown = {count: run_tasks(count) for count in (250_000, 500_000, 1_000_000)}
    few, many = run_tasks(100_000), run_tasks(100_000, 10 * MANY_NODES)
    cpu_s, rss = grown[1_000_000]
    twice = grown[500_000].cpu_s / grown[250_000].cpu_s
    again = cpu_s / grown[500_000].cpu_s
    wide = many.cpu_s / few.cpu_s
    return [
        Line("1,000,000 tasks on 1,000 nodes", f"{cpu_s:.1f} CPU s", "60 s", cpu_s <= 60),
        Line("the same, memory", f"{rss / GIB:.2f} GiB", "3 GiB", rss <= 3 * GIB),
        Line("500,000 against 250,000 tasks", f"{twice:.2f}x", "2.1x", twice <= 2.1),
        Line("1,000,000 against 500,000 tasks", f"{again:.2f}x", "2.1x", again <= 2.1),
        Line("100,000 tasks, 10,000 against 1,000 nodes", f"{wide:.2f}x", "3x", wide <= 3),
    ]


def table(lines: list[Line]) -> str:
    """Markdown."""
    rows = ["| simulator | measured | bar | |", "|---|---|---|---|"]
    rows += [f"| {line.name} | {line.found} | {line.bar} | {HOLDS[line.holds]} |" for line in lines]
    return "\n".join(rows)


def measured(with_long: bool) -> str:
    """All of it, as a table."""
    return table(quick() + (long() if with_long else []))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.simulated", description=__doc__)
    parser.add_argument(
        "--long", action="store_true", help="the million tasks and how they grow, too"
    )
    given = parser.parse_args()
    print(measured(given.long))


if __name__ == "__main__":
    main()
