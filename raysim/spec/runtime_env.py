"""What a worker process has besides a plain one's: a runtime environment, as text and as data. Never makes one.

The text is JSON with Ray's field names, sorted, so that equal environments are equal texts: it is the
key by which workers are told apart. An empty text is the plain environment.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from raysim.spec.job import FIELD as JOB
from raysim.spec.job import JobSettings

PACKAGE_SCHEME = "gcs://"
"""Of packages that the driver has uploaded to the GCS. Ray's."""

FILE_SCHEME = "file://"
"""Of packages that lie on every node."""

LOCAL_SCHEME = "local://"
"""Of folders that lie on every node, and are used where they lie."""

WEB_SCHEMES = ("https://", "http://")
"""Of packages that each node fetches."""

INSTALLERS: Final = ("pip", "uv", "conda")
"""Fields of which an environment has one: each makes an interpreter of its own."""

IMAGES: Final = ("container", "image_uri")

BESIDE_IMAGES: Final = ("config", "env_vars")
"""What may come with an image. Ray's rule."""

DEFAULT_TIMEOUT_S = 600
"""Seconds that an environment may take to be set up. Ray: `DEFAULT_RUNTIME_ENV_TIMEOUT_SECONDS`."""


class Config(msgspec.Struct, frozen=True):
    """How it is set up. Ray: `RuntimeEnvConfig`."""

    setup_timeout_seconds: int = DEFAULT_TIMEOUT_S
    """-1: as long as it takes."""
    eager_install: bool = True
    log_files: list[str] | None = None


class Pip(msgspec.Struct, frozen=True):
    packages: list[str]
    """Requirement specifiers, as pip takes them."""
    pip_check: bool = False
    pip_version: str = ""
    pip_install_options: list[str] | None = None


class Uv(msgspec.Struct, frozen=True):
    packages: list[str]
    uv_check: bool = False
    uv_version: str = ""
    uv_pip_install_options: list[str] | None = None


class Container(msgspec.Struct, frozen=True):
    """What workers run in. It has raysim, and what the program imports."""

    image: str
    run_options: list[str] | None = None
    """Of `podman run` or `docker run`."""
    worker_path: str = ""
    """Of Ray, which does not look at it any more either."""


class RuntimeEnvSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One environment, checked, its folders replaced by the URIs of packages."""

    env_vars: dict[str, str] = {}
    """May refer to the node's as `${NAME}`, and to each other's that come earlier in the alphabet, as in Ray."""
    working_dir: str = ""
    py_modules: list[str] = []
    pip: Pip | None = None
    uv: Uv | None = None
    conda: str | dict[str, Any] | None = None
    """The name or the folder of an environment that is there, or what conda is to make one of."""
    image_uri: str = ""
    container: Container | None = None
    py_executable: str = ""
    """The command that starts a worker instead of the interpreter; for a shell."""
    worker_process_setup_hook: str = ""
    """Where to import it from; the mere name of one that is pickled."""
    pickled_hook: str = msgspec.field(default="", name="_setup_hook")
    """In base64."""
    config: Config | None = None
    job: JobSettings = msgspec.field(default=JobSettings(), name=JOB)

    @property
    def packages(self) -> list[str]:
        """URIs that must be on the node before a worker can start."""
        return [*self.py_modules, *([self.working_dir] if self.working_dir else [])]

    @property
    def needs_setting_up(self) -> bool:
        """Whether a node has to do something for it before it can start a worker."""
        return bool(self.packages) or self.needs_python

    @property
    def needs_python(self) -> bool:
        """Whether it has an interpreter of its own that must be made, or found, first."""
        return any(one is not None for one in (self.pip, self.uv, self.conda, self.image))

    @property
    def has_own_start(self) -> bool:
        """Whether its workers are started in a way of its own, which may be why they do not start."""
        return self.needs_python or bool(self.py_executable)

    @property
    def image(self) -> Container | None:
        return Container(self.image_uri) if self.image_uri else self.container

    @property
    def timeout_s(self) -> int:
        return (self.config or Config()).setup_timeout_seconds


_REFERENCE = re.compile(r"\$(\w+)|\$\{([^}]*)\}", re.ASCII)


def expanded(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """With the values of what they refer to: earlier ones of theirs, then those of `environ`.

    A `${NAME}` that is not set becomes nothing, a `$NAME` stays, as in Ray.
    """
    found: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in found:
            return found[name]
        return environ.get(name, match[0] if match[1] else "")

    for name, text in variables.items():
        found[name] = _REFERENCE.sub(value, text)
    return found


_encode = msgspec.json.Encoder(order="deterministic").encode


@lru_cache(maxsize=1024)
def read_env(text: str) -> RuntimeEnvSpec:
    """What a text says."""
    return msgspec.json.decode(text, type=RuntimeEnvSpec) if text else RuntimeEnvSpec()


@lru_cache(maxsize=1024)
def job_of_env(text: str) -> JobSettings:
    """What it says of the job. Of a text that is no environment: nothing, as whoever sets it up refuses it."""
    try:
        return read_env(text).job
    except msgspec.DecodeError:
        return JobSettings()


def write_env(fields: dict[str, object]) -> str:
    """The text of these fields; none of them: the plain environment."""
    return _encode(fields).decode() if fields else ""


def shown(text: str) -> str:
    """As people see it: without what only workers can read."""
    if not text:
        return "{}"
    try:
        fields = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return repr(text)  # Nothing that our API has written.
    for name in ("_setup_hook", JOB):
        fields.pop(name, None)
    return _encode(fields).decode()


def with_job(text: str, settings: JobSettings) -> str:
    """The environment of a job that has these settings."""
    if settings == JobSettings():
        return text
    return write_env({**(msgspec.json.decode(text) if text else {}), JOB: settings})


def merged(parent: str, child: str) -> str:
    """What a call gets that asks for `child` in code that runs in `parent`.

    Field by field the child's, but variable by variable for `env_vars`, as Ray does. Raises ValueError
    for what does not come together: see `conflict`.
    """
    if not parent or not child or parent == child:
        return child or parent
    return _merge(parent, child)


@lru_cache(maxsize=1024)
def _merge(parent: str, child: str) -> str:
    below: dict[str, dict[str, str]] = msgspec.json.decode(parent)
    above: dict[str, dict[str, str]] = msgspec.json.decode(child)
    fields: dict[str, object] = {**below, **above}
    variables = {**below.get("env_vars", {}), **above.get("env_vars", {})}
    if variables:
        fields["env_vars"] = variables
    if "worker_process_setup_hook" in above and "_setup_hook" not in above:
        fields.pop("_setup_hook", None)
    problem = conflict(fields)
    if problem:
        raise ValueError(
            f"runtime_env: the job's or the caller's {_names(below)} is inherited, and {_names(above)} is "
            f"asked for. {problem}"
        )
    return write_env(fields)


def conflict(fields: Collection[str]) -> str:
    """Why these fields cannot come together; empty: they can."""
    installers = [name for name in INSTALLERS if name in fields]
    if len(installers) > 1:
        return (
            f"An environment has one of {', '.join(INSTALLERS)}; here are {', '.join(installers)}."
        )
    for name in IMAGES:
        others = sorted(set(fields) - {name, JOB, *BESIDE_IMAGES})
        if name in fields and others:
            return (
                f"The {name!r} field of runtime_env comes alone, or with {' and '.join(BESIDE_IMAGES)}, but "
                f"here are {', '.join(others)}. Put them into the image."
            )
    return ""


def _names(fields: Collection[str]) -> str:
    return ", ".join(sorted(set(fields) - {JOB})) or "nothing"
