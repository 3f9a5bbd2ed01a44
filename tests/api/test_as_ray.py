"""`raysim run` of a program that was written for Ray: `import ray` and all that is below it, in workers too."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ray
import ray.util.multiprocessing
from helper import triple
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayTaskError
from ray.util import ActorPool
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init(num_cpus=2)


@ray.remote
class Counter:
    def __init__(self):
        self.n = 0

    def add(self, by):
        self.n += by
        return self.n

    def me(self):
        return ray.get_runtime_context().current_actor


@ray.remote
def late():
    import ray
    from ray.exceptions import GetTimeoutError
    import ray.util.queue

    assert ray.is_initialized()
    assert issubclass(ray.util.queue.Full, Exception)
    raise GetTimeoutError("by hand")


@ray.remote
def classes():
    from ray.util.metrics import Counter as Metric
    import ray.util.metrics

    return Metric is ray.util.metrics.Counter, GetTimeoutError, Metric


counter = Counter.remote()
print(isinstance(counter, ActorHandle), ray.get(counter.add.remote(2)))
print(ray.get(counter.me.remote()) == counter)
try:
    ray.get(late.remote())
except GetTimeoutError as error:
    print(type(error).__name__, isinstance(error, RayTaskError))
same, error_class, metric_class = ray.get(classes.remote())
from ray.util.metrics import Counter as Metric
print(same, error_class is GetTimeoutError, metric_class is Metric)
here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
print(ray.get(ray.remote(triple).options(scheduling_strategy=here).remote(5)))
print(list(ActorPool([counter]).map(lambda actor, v: actor.add.remote(v), [1, 2])))
with ray.util.multiprocessing.Pool(2) as pool:
    print(pool.map(triple, range(4)))
"""

HELPER = """
import ray.exceptions


def triple(x):
    assert ray.is_initialized()
    return 3 * x
"""

PRINTED = """\
True 2
True
RayTaskError(GetTimeoutError) True
True True True
15
[3, 5]
[0, 3, 6, 9]
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text(HELPER)
    file = tmp_path / "app.py"
    file.write_text(PROGRAM)
    return file


def test_an_unmodified_program_runs(backend: str, program: Path) -> None:
    raysim = [sys.executable, "-m", "raysim", "run", "--backend", backend]
    command = [sys.executable] if backend == "judge" else raysim
    done = subprocess.run(
        [*command, str(program)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith(PRINTED), done.stdout + done.stderr
    assert done.returncode == 0
