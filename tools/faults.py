"""Writes docs/faults.md from the kinds of faults and from what the backends perform. Never a reason of its own.

python tools/faults.py            write it
python tools/faults.py --check    exit 1 if it is stale
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from raysim.faults import Fault
from raysim.faults.kinds import FAULTS
from raysim.faults.moment import EVENTS
from raysim.faults.support import BACKENDS, CLUSTER, ON_CLUSTER, refusal
from raysim.faults.text import shown_default
from tools.generated import write_or_check

DOCUMENT = Path(__file__).parent.parent / "docs" / "faults.md"

HEAD = """# Faults

<!-- Written by tools/faults.py from raysim/faults. -->

What can go wrong in a run, in one vocabulary for the command line, scenario files, programs and tests:

```console
$ raysim run app.py --backend sim     --nodes 3 --fault 'pause_node(at=1s, lasting=2s)'
$ raysim run app.py --backend cluster --nodes 3 --fault 'pause_node(at=1s, lasting=2s)'
```

```yaml
faults:                       # of a scenario
  - kill_node(at=33%, node=2)
  - {partition: {at: 5s, nodes: half, lasting: 2s}}
```

```python
from raysim.api.session import current_world
from raysim.faults import parse_fault

faults = [parse_fault("kill_worker(at=task_ended*10)")]
ray.init(backend="cluster", nodes=3, world={"faults": faults})
current_world().strike(parse_fault("isolate(at=0, node=1)"))  # now
current_world().strike(parse_fault("heal(at=0)"))
```

`at` is a time since the program's `init` or the start of the workload (`5s`), a share of the expected makespan of a
workflow (`33%`), or an event, the n-th of its kind, and a while (`task_ended*10+5ms`). Events:
EVENTS.

A node is its number (0 is the head), `head`, its name, or `any`: then the seed draws one. Several are `any` (one),
`half`, `rest`, or joined by `+`: `0+2`. `lasting=none` lasts until `heal`, or the end of the run. At its end nothing
stands still.

On `cluster` faults strike real processes: with signals, in the transport of the processes concerned, and in the
ports of disk, store and memory. A fault that a backend cannot perform is refused by its name, before anything is
started.
"""


def document() -> str:
    events = ", ".join(f"`{event}`" for event in EVENTS)
    parts = [HEAD.replace("EVENTS", events), *_table(), "", *_kinds()]
    return "\n".join(parts).rstrip() + "\n"


def _table() -> Iterator[str]:
    yield "## Which backend performs what"
    yield ""
    yield f"| fault | {' | '.join(f'`{backend}`' for backend in BACKENDS)} | on `{CLUSTER}` |"
    yield f"|---|{':---:|' * len(BACKENDS)}---|"
    for kind in FAULTS:
        marks = ["-" if refusal(backend, kind) else "yes" for backend in BACKENDS]
        reason = refusal(CLUSTER, kind)
        said = f"Not performed: {reason}." if reason else ON_CLUSTER.get(kind, "")
        yield f"| [`{kind.tag()}`](#{kind.tag()}) | {' | '.join(marks)} | {said} |"


def _kinds() -> Iterator[str]:
    yield "## The kinds"
    yield ""
    for kind in FAULTS:
        yield f"### {kind.tag()}"
        yield ""
        yield f"`{kind.tag()}({', '.join(_arguments(kind))})`"
        yield ""
        yield inspect.cleandoc(kind.__doc__ or "")
        yield ""


def _arguments(kind: type[Fault]) -> Iterator[str]:
    """With their defaults; `at` has none."""
    for field in msgspec.structs.fields(kind):
        yield field.name if field.required else f"{field.name}={shown_default(field)}"


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, document(), sys.argv[1:]))
