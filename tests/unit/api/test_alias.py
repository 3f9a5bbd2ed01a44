"""The alias is tried in processes of its own: `sys.modules` is nothing to restore by hand."""

import subprocess
import sys

import pytest

from raysim.api.alias import AS_RAY

MODULES = [
    "actor",
    "cloudpickle",
    "cluster_utils",
    "config",
    "dag",
    "exceptions",
    "remote_function",
    "runtime_context",
    "types",
    "util",
    "util.actor_group",
    "util.actor_pool",
    "util.collective",
    "util.collective.types",
    "util.iter",
    "util.metrics",
    "util.multiprocessing",
    "util.multiprocessing.pool",
    "util.queue",
    "util.scheduling_strategies",
]


def python(script, *args):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(AS_RAY)!r})\n{script}", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def test_every_module_is_raysim_s_own_under_ray_s_name():
    script = """
import importlib
import ray, raysim
assert ray is raysim
for name in sys.argv[1:]:
    theirs = importlib.import_module(f"ray.{name}")
    ours = importlib.import_module(f"raysim.{name}")
    assert theirs is ours, name
    assert ours.__name__ == ours.__spec__.name == f"raysim.{name}", ours.__spec__
print("same")
"""
    assert python(script, *MODULES) == "same\n"


@pytest.mark.parametrize(
    "statement",
    [
        "import ray.util.queue; print(ray.util.queue.Queue.__module__)",
        "from ray.util.queue import Queue; print(Queue.__module__)",
        "from ray.util import queue; print(queue.__name__)",
        "import ray.util.queue as q; print(q.__name__)",
        "import ray; print(ray.util.queue.Queue.__module__)",
        "import ray, raysim.util.queue as q; print(ray.util.queue.Queue is q.Queue and q.__name__)",
    ],
)
def test_a_module_is_found_by_every_kind_of_import(statement):
    assert python(statement) == "raysim.util.queue\n"


def test_actor_needs_no_import_of_its_own():
    assert python("import ray; print(ray.actor.ActorHandle is ray.ActorHandle)") == "True\n"


def test_what_is_not_there_is_named_as_it_was_asked_for():
    script = """
for name in ("ray.nothing", "ray.util.nothing.inside", "ray.exceptions.inside"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error.name)
"""
    assert python(script) == "ray.nothing\nray.util.nothing\nray.exceptions.inside\n"


def test_a_module_that_needs_something_missing_says_what():
    script = """
sys.modules["cloudpickle"] = None  # As if it were not installed.
try:
    import ray.cloudpickle
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert python(script) == "cloudpickle\n"


def test_what_is_pickled_is_named_by_raysim_and_loads_without_the_alias():
    script = """
import pickle
import ray.exceptions
print(pickle.dumps(ray.exceptions.GetTimeoutError, 0).decode().split()[0])
"""
    assert python(script) == "craysim.exceptions\n"


def test_removed_it_leaves_no_trace():
    script = """
from raysim.api import alias
path = list(sys.meta_path)
alias.remove()
import ray.util.queue
alias.remove()
print([name for name in sys.modules if name.partition(".")[0] == "ray"], sys.meta_path == path)
import ray
print(ray.__name__)
"""
    assert python(script) == "[] True\nraysim\n"
