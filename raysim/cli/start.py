"""Starts and stops nodes that outlive a program. Never asks a cluster anything: see status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from raysim.api.init_options import DEFAULT_BACKEND, config_of, node_options
from raysim.cli.dashboard import DashboardOfHead
from raysim.cli.nodes import DEFAULT_PORT
from raysim.exceptions import AuthenticationError
from raysim.services import Service, ServiceOptions, load_services
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
    "autoscaling_config",
)


def start_command(asked: Mapping[str, Any]) -> int:
    options = _options(asked)
    return _serve(asked, options, -1) if asked["block"] else _in_background(asked)


def stop_command(grace_s: float) -> int:
    count = load_services(DEFAULT_BACKEND).stop(grace_s)
    click.echo(
        f"Ended {count} node{'s'[: count != 1]}." if count else "No nodes of yours run here."
    )
    return 0


def _in_background(asked: Mapping[str, Any]) -> int:
    """The same in a process and a session of its own; until that says that it runs, or why not."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs), json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[theirs],
        start_new_session=True,
    )
    os.close(theirs)
    with open(ours, encoding="utf-8") as report:
        said = report.read()
    if not said:
        click.echo(f"The node ended with code {process.wait()} before it ran.", err=True)
        return 1
    code, text = json.loads(said)
    click.echo(text, err=code != 0)
    return int(code)


def _serve(asked: Mapping[str, Any], options: ServiceOptions, report_fd: int) -> int:
    """`report_fd`: where whoever waits for us is told; -1: on our own output."""
    if report_fd >= 0:
        os.set_inheritable(report_fd, False)
    dashboard: DashboardOfHead | None = None
    services = load_services(DEFAULT_BACKEND)
    try:
        dashboard = DashboardOfHead(asked, options.tls or services.tls())
        service = services.start(options)
    except (ValueError, ConnectionError, AuthenticationError, RuntimeError) as error:
        if dashboard is not None:
            dashboard.close()
        code = 2 if isinstance(error, ValueError) else 1
        _report(report_fd, code, str(error))
        return code
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: service.end())
    dashboard.begin(service)
    said = (_said(options, service), dashboard.said)
    _report(report_fd, 0, "\n".join(part for part in said if part))
    why = service.run()
    dashboard.close()
    if why is None:
        return 0
    if service.has_left:
        click.echo("The node was drained, and has left the cluster.")
        return 0
    click.echo(f"The node has ended: {why}.", err=True)
    return 1


def _report(report_fd: int, code: int, text: str) -> None:
    if report_fd < 0:
        click.echo(text, err=code != 0)
        return
    with open(report_fd, "w", encoding="utf-8") as report:
        json.dump([code, text], report)


def _said(options: ServiceOptions, service: Service) -> str:
    if options.address is not None:
        return f"Node {service.node_id[:12]} has joined the cluster at {service.address}. Logs: {service.folder}"
    token = f"the file {service.token_file}" if service.token_file else "the environment"
    again = " again, with what its last head had written down" if service.returns else ""
    return (
        f"The cluster runs at {service.address}{again}. Logs: {service.folder}\n"
        f"Join another node (the token is in {token}):\n"
        f"  raysim start --address {service.address}\n"
        "Join from a program:\n"
        f'  raysim.init(address="{service.address}")\n'
        "End it:\n"
        "  raysim stop"
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
            "--port, --storage, --dashboard-port, --system-config and --autoscaling-config are the head's: "
            "leave them out with --address."
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
        config = config_of(_json("--system-config", asked["system_config"]))
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


if __name__ == "__main__":
    _asked = json.loads(sys.argv[2])
    sys.exit(_serve(_asked, _options(_asked), int(sys.argv[1])))
