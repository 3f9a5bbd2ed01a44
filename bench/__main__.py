"""`python -m bench`: the contenders take turns, and one table of ratios says which bars were met.

Ray, Dask and loky take part where .venv-ray and .venv-bench have them, or an interpreter named by --python.
Then comes the simulator. Writes results.md, results.json and, where matplotlib is, results.svg. Ctrl-C ends it with
what there is.
"""

import argparse
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import machine
from bench.contenders import BY_NAME, find
from bench.leaving import Run, leave
from bench.lines import FIRST_SIZE_LINES, LINES, OURS, SIZE_LINES, Line
from bench.turns import ROOT, Settings, Told, take_all, turns

ROUNDS = 3
FULL = Settings(ROUNDS, seconds=1.0, scale=1.0, grouped=True)
QUICK = Settings(1, seconds=0.1, scale=0.05, grouped=False)
INTERPRETERS = (".venv-ray/bin/python", ".venv-bench/bin/python")
"""As `make test-ray` and `make bench` set them up."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="PATTERN", help="lines whose name this matches (a regular expression)"
    )
    parser.add_argument("--rounds", type=int, help=f"turns of each contender ({ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="one short round: a minute, and rough")
    parser.add_argument(
        "--sizes", action="store_true", help="what sizes cost, instead of the lines"
    )
    parser.add_argument("--contenders", default=",".join(BY_NAME), help="of: %(default)s")
    parser.add_argument(
        "--python", action="append", default=[], help="an interpreter that may have rivals"
    )
    parser.add_argument("--long", action="store_true", help="a million simulated tasks, too")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    return parser.parse_args()


def chosen(only: str | None, sizes: bool, quick: bool) -> list[Line]:
    pattern = re.compile(only or "", re.IGNORECASE)
    among = (FIRST_SIZE_LINES if quick else SIZE_LINES) if sizes else LINES
    found = [line for line in among if pattern.search(line.name)]
    if not found:
        known = "\n  ".join(line.name for line in LINES + SIZE_LINES)
        sys.exit(f"bench: no line's name matches {only!r}. The lines are:\n  {known}")
    return found


def named(contenders: str) -> list[str]:
    names = contenders.split(",")
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        sys.exit(f"bench: no contender is called {unknown[0]!r}. There are: {', '.join(BY_NAME)}")
    return names


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    given = arguments()
    settings = QUICK if given.quick else FULL
    if given.rounds:
        settings = settings._replace(rounds=given.rounds)
    lines = chosen(given.only, given.sizes, given.quick)
    others = [*given.python, *(str(ROOT / place) for place in INTERPRETERS)]
    ready, left_out = find(named(given.contenders), sys.executable, others)
    for name, why in left_out.items():
        say(f"{name} is left out: {why}")
    # The end that `kill` asks for is the same as that of Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    before, told, interrupted, simulator = machine.load(), Told({}, {}, []), False, ""
    began = time.monotonic()
    try:
        take_all(list(turns(lines, ready, settings)), settings, told, say)
        if not (given.only or given.quick or given.sizes):
            simulator = simulated(given.long, told)
    except KeyboardInterrupt:
        interrupted = True
        say("Interrupted: the table holds what was measured until now.")
    loads, seconds = (before, machine.load()), time.monotonic() - began
    run = Run(lines, ready, left_out, told, loads, seconds, simulator)
    say(f"\nWritten to {given.out}: {', '.join(leave(run, given.out))}")
    if interrupted:
        return 130
    return 1 if any(failure.startswith(OURS) for failure in told.failures) else 0


def simulated(long: bool, told: Told) -> str:
    """The table of `bench.simulated`."""
    say("The simulator")
    command = [sys.executable, "-m", "bench.simulated", *(["--long"] if long else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        told.failures.append(f"{OURS}, the simulator: exit code {done.returncode}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main())
