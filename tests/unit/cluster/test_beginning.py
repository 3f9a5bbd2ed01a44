import subprocess
import sys

from raysim import services
from raysim_cluster import launch

ASK = """
import sys
import raysim_cluster.beginning
import raysim_cluster.{part}
print(*(name for name in sys.modules if name.startswith("raysim")))
"""


def imported_with(part):
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(part=part)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_nothing_of_the_node_is_imported_before_the_fork_or_in_workers():
    """A start waits for what both import, and each worker would carry it."""
    found = imported_with("worker")
    assert "raysim.protocol.executor" in found
    assert not [
        name for name in found if name.startswith(("raysim.protocol.gcs", "raysim.protocol.raylet"))
    ]


def test_nothing_of_workers_is_imported_in_the_node():
    found = imported_with("node")
    assert "raysim.protocol.raylet" in found
    roles = (
        "raysim.protocol.owner",
        "raysim.protocol.executor",
        "raysim.runtime",
        "raysim_cluster.worker",
    )
    assert not [name for name in found if name.startswith(roles)]


SUPERVISOR = """
import sys
import raysim.cli.supervising
from raysim.config import Config
from raysim.services import services_of
services_of("cluster", "raysim_cluster")
from raysim_cluster.preloaded import preload
preload(Config(), True)
print(*sys.modules)
"""


def test_what_looks_after_a_started_node_has_nothing_that_only_commands_or_some_programs_need():
    """Its node's processes are forks of it, so that each would count what it has."""
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR], capture_output=True, text=True, check=True
    )
    found = set(done.stdout.split())
    assert {"raysim_cluster.node", "raysim_cluster.gcs_process", "raysim_cluster.worker"} <= found
    heavy = ("asyncio", "click", "importlib.metadata", "psutil", "ssl", "tarfile", "zipfile")
    assert found.isdisjoint((*heavy, "numpy", "raysim.api.session", "raysim_cluster.world"))


def test_what_a_start_takes_out_of_the_environment_is_what_no_process_of_a_node_has():
    assert set(services.SECRETS) == launch.SECRETS
