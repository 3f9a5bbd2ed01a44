import subprocess
import sys

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
