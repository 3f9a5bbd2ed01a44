"""What a worker of Ray does before it runs user code. No cluster."""

import subprocess
import sys


def test_worker_imports_no_role_of_the_protocol():
    """Each actor is a process that has all its imports ahead of its first call."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, raysim_ray.entering, raysim_ray.backend; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    roles = ("raysim.protocol.owner", "raysim.protocol.executor", "raysim.runtime.core_worker")
    assert [name for name in done.stdout.split() if name.startswith(roles)] == []
