"""What a worker process has besides a plain one's: a runtime environment, as text and as data. Never makes one.

The text is JSON with Ray's field names, sorted, so that equal environments are equal texts: it is the
key by which workers are told apart. An empty text is the plain environment.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

PACKAGE_SCHEME = "gcs://"
"""Of packages that the driver has uploaded to the GCS. Ray's."""

FILE_SCHEME = "file://"
"""Of packages that lie on every node."""

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


class RuntimeEnvSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One environment, checked, its folders replaced by the URIs of packages."""

    env_vars: dict[str, str] = {}
    """May refer to the node's as `${NAME}`, and to each other's that come earlier in the alphabet, as in Ray."""
    working_dir: str = ""
    py_modules: list[str] = []
    pip: Pip | None = None
    uv: Uv | None = None
    worker_process_setup_hook: str = ""
    """Where to import it from; the mere name of one that is pickled."""
    pickled_hook: str = msgspec.field(default="", name="_setup_hook")
    """In base64."""
    config: Config | None = None

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
        """Whether it has a virtual environment of its own."""
        return self.pip is not None or self.uv is not None

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


def write_env(fields: dict[str, object]) -> str:
    """The text of these fields; none of them: the plain environment."""
    return _encode(fields).decode() if fields else ""


def shown(text: str) -> str:
    """As people see it: without what only workers can read."""
    if not text:
        return "{}"
    fields = msgspec.json.decode(text)
    fields.pop("_setup_hook", None)
    return _encode(fields).decode()


def merged(parent: str, child: str) -> str:
    """What a call gets that asks for `child` in code that runs in `parent`.

    Field by field the child's, but variable by variable for `env_vars`, as Ray does. Raises ValueError
    when both `pip` and `uv` come out.
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
    if "pip" in fields and "uv" in fields:
        raise ValueError(
            f"runtime_env: the job's or the caller's {'pip' if 'pip' in below else 'uv'} is inherited, and "
            f"{'pip' if 'pip' in above else 'uv'} is asked for; an environment has one of them."
        )
    return write_env(fields)
