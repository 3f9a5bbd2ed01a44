"""Starts and stops nodes that outlive a program. Never asks a cluster anything: see status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from raysim.api.init_options import DEFAULT_BACKEND, config_of, node_options
from raysim.backend import package_of
from raysim.cli import supervising
from raysim.cli.dashboard import DashboardAsked
from raysim.cli.nodes import DEFAULT_PORT
from raysim.cli.supervising import Asked
from raysim.config import Config
from raysim.services import SECRETS, ServiceOptions, load_services
from raysim.spec.growth import Growth
from raysim.spec.ids import UNIQUE_ID_BYTES
from raysim.spec.labels import check_labels
from raysim.spec.tls import TlsFiles
from raysim.spec.units import parse_size

_OF_THE_HEAD: Final = (
    "port",
    "storage",
    "dashboard_port",
    "system_config",
    "policy",
    "queue",
    "autoscaling_config",
)


def start_command(asked: Mapping[str, Any]) -> int:
    what = Asked(
        DEFAULT_BACKEND,
        package_of(DEFAULT_BACKEND),
        _options(asked),
        _dashboard(asked),
        {name: os.environ[name] for name in SECRETS if name in os.environ},
    )
    return _become(what) if asked["block"] else _in_background(what)


def stop_command(grace_s: float) -> int:
    count = load_services(DEFAULT_BACKEND).stop(grace_s)
    click.echo(
        f"Ended {count} node{'s'[: count != 1]}." if count else "No nodes of yours run here."
    )
    return 0


def _become(what: Asked) -> int:
    """This process goes on as the one that looks after the node."""
    asked_fd = _written(what)
    os.set_inheritable(asked_fd, True)
    sys.stdout.flush()
    os.execve(sys.executable, _command(asked_fd, -1), _environment())  # noqa: S606  (an argument list)


def _in_background(what: Asked) -> int:
    """The same in a process and a session of its own; until that says that it runs, or why not."""
    asked_fd = _written(what)
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        _command(asked_fd, theirs),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[asked_fd, theirs],
        env=_environment(),
        start_new_session=True,
    )
    os.close(asked_fd)
    os.close(theirs)
    with open(ours, encoding="utf-8") as report:
        said = report.read()
    if not said:
        click.echo(f"The node ended with code {process.wait()} before it ran.", err=True)
        return 1
    code, text = json.loads(said)
    click.echo(text, err=code != 0)
    return int(code)


def _command(asked_fd: int, report_fd: int) -> list[str]:
    """With what was typed, by which people and the autoscaler know it."""
    program = [sys.executable, "-m", supervising.__name__, str(asked_fd), str(report_fd)]
    return [*program, *sys.argv[1:]]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def _written(what: Asked) -> int:
    """A descriptor from which that can be read: by command line anybody could."""
    fd = os.memfd_create("raysim-start")
    os.write(fd, msgspec.msgpack.encode(what))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _dashboard(asked: Mapping[str, Any]) -> DashboardAsked | None:
    if not (asked["head"] and asked["dashboard"]):
        return None
    return DashboardAsked(
        asked["dashboard_host"],
        asked["dashboard_port"],
        asked["plaintext"],
        asked["dashboard_client_certs"],
    )


def _options(asked: Mapping[str, Any]) -> ServiceOptions:
    """Raises click.UsageError for what does not fit together."""
    head, address = asked["head"], asked["address"]
    if head == (address is not None):
        raise click.UsageError(
            "Give --head to start a cluster, or --address HOST:PORT to join one."
        )
    if not head and any(asked[name] is not None for name in _OF_THE_HEAD):
        raise click.UsageError(
            "--port, --storage, --dashboard-port, --system-config, --policy, --queue and --autoscaling-config are the "
            "head's: leave them out with --address."
        )
    storage = asked["storage"] or ""
    if "@" in storage and ":" in storage.partition("://")[2].rpartition("@")[0]:
        raise click.UsageError(
            "--storage: others see a password in the list of processes. Leave it out, and set RAYSIM_REDIS_PASSWORD, "
            "or RAYSIM_REDIS_PASSWORD_PATH to a file that has it."
        )
    try:
        node = node_options(
            DEFAULT_BACKEND,
            num_cpus=asked["num_cpus"],
            num_gpus=asked["num_gpus"],
            memory=_size(asked["memory"]),
            resources=_resources(asked["resources"]),
            labels=_labels(asked["labels"]),
            object_store_memory=_size(asked["object_store_memory"]),
            name=asked["node_name"] or "",
        )
        config = _config(asked)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    return ServiceOptions(
        node=node,
        address=address,
        host=asked["host"],
        port=DEFAULT_PORT if asked["port"] is None else asked["port"],
        tls=_tls(asked),
        plaintext=asked["plaintext"],
        config=config,
        storage=storage,
        growth=_growth(asked["autoscaling_config"]),
        node_id=_node_id(asked["node_id"]),
    )


def _config(asked: Mapping[str, Any]) -> Config:
    """Raises ValueError, TypeError."""
    given = _json("--system-config", asked["system_config"]) or {}
    named = {name: asked[name] for name in ("policy", "queue") if asked[name] is not None}
    if not named:
        return config_of(given)
    from raysim.policies import create, located
    from raysim.policies.orders import create_order

    for name in named:
        if name in given:
            raise ValueError(f"--{name} and --system-config both have a {name}: leave one out")
        named[name] = located(named[name], Path.cwd())
    config = config_of({**given, **named})
    create(config.policy, config)
    create_order(config.queue)
    return config


def _growth(file: str | None) -> Growth | None:
    if file is None:
        return None
    from raysim.scenario.problems import ScenarioError
    from raysim.scenario.ray_cluster import read_growth

    try:
        return read_growth(Path(file))
    except ScenarioError as error:
        raise click.UsageError(str(error)) from error


def _node_id(text: str | None) -> str:
    if text is not None and not re.fullmatch(f"[0-9a-f]{{{2 * UNIQUE_ID_BYTES}}}", text):
        raise click.UsageError(f"--node-id: {text!r} is no id of {2 * UNIQUE_ID_BYTES} hex digits.")
    return text or ""


def _tls(asked: Mapping[str, Any]) -> TlsFiles | None:
    given = [asked[name] for name in ("tls_cert", "tls_key", "tls_ca")]
    if not any(given):
        return None
    if not all(given):
        raise click.UsageError(
            "--tls-cert, --tls-key and --tls-ca belong together: give all three."
        )
    return TlsFiles(*map(os.path.abspath, given))


def _size(text: str | None) -> int | None:
    return None if text is None else parse_size(text)


def _resources(text: str | None) -> dict[str, float]:
    found = _json("--resources", text) or {}
    for name, quantity in found.items():
        if isinstance(quantity, bool) or not isinstance(quantity, int | float):
            raise ValueError(f"--resources: {name} is {quantity!r}, and no number")
    return found


def _labels(text: str | None) -> dict[str, str]:
    """As `k=v,k=v`, or JSON."""
    if not text:
        return {}
    if text.lstrip().startswith("{"):
        labels = _json("--labels", text) or {}
    else:
        pairs = [pair.partition("=") for pair in text.split(",")]
        if any(not sign for _, sign, _ in pairs):
            raise ValueError(f"--labels: {text!r} is not written as key=value,key=value")
        labels = {key.strip(): value.strip() for key, _, value in pairs}
    check_labels(labels)
    return labels


def _json(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{option}: {text!r} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f'{option}: {text!r} is no JSON object, such as {{"a": 1}}')
    return found
