"""Containers that workers run in, by podman or docker, whichever is on the path. Never an image of our own."""

import os
import shutil
from collections.abc import Sequence
from typing import Final

from raysim.spec.runtime_env import Container

_OWN: Final = ("RAY_", "RAYSIM_")
"""How variables begin that go into every container. Ray's rule, and ours."""

_PROBE: Final = (
    "import sys, raysim, raysim_cluster.spawned; "
    "print('Python %d.%d,' % sys.version_info[:2], 'raysim', raysim.__version__)"
)


class NoRuntimeError(Exception):
    """There is neither podman nor docker."""


def runtime() -> str:
    """The program that runs containers. Raises NoRuntimeError."""
    for name in ("podman", "docker"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise NoRuntimeError(
        "there is neither podman nor docker on the path of the node. Install one of them, or leave "
        "image_uri and container out"
    )


def run_command(
    image: Container, variables: Sequence[str], folder: str, arguments: Sequence[str]
) -> list[str]:
    """Python with these arguments in a container that shares the machine's network and processes.

    `variables`: names that count inside, besides those of Ray and raysim. `folder`: seen inside, too.
    """
    program = runtime()
    # Files in that folder, and the socket that the worker is known by, are of this user.
    user = (
        ["--userns=keep-id"]
        if os.path.basename(program) == "podman"
        else [f"--user={os.getuid()}:{os.getgid()}"]
    )
    own = [name for name in os.environ if name.startswith(_OWN)]
    # By name only: a value would be seen by everybody in the list of processes.
    names = [f"--env={name}" for name in dict.fromkeys([*own, *variables])]
    return [
        *(program, "run", "--rm", f"--volume={folder}:{folder}"),
        *("--network=host", "--pid=host", "--ipc=host", *user, *names),
        *(image.run_options or []),
        *("--entrypoint", "python", image.image, *arguments),
    ]


def probe_command(image: Container) -> list[str]:
    """Pulls the image, and says which Python and raysim it has."""
    return [runtime(), "run", "--rm", "--entrypoint", "python", image.image, "-c", _PROBE]
