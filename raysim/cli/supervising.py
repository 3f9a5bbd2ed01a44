"""The process that looks after a node of `raysim start`, as long as that lives. Never reads options: see start.

A program of its own, with nothing that only the command line needs: it stays.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import Final

import msgspec

from raysim.cli.dashboard import DashboardAsked, DashboardOfHead
from raysim.exceptions import AuthenticationError
from raysim.services import Service, ServiceOptions, services_of

_INTERRUPTED: Final = 130


class Asked(msgspec.Struct, frozen=True):
    backend: str
    package: str
    """Where that is."""
    options: ServiceOptions
    dashboard: DashboardAsked | None
    """None: it has none."""
    variables: dict[str, str]
    """Of the environment, which nobody may read: a process shows what it was started with."""


def supervise(asked: Asked, report_fd: int) -> int:
    """Until the node ends. `report_fd`: where whoever waits for us is told; -1: on our own output."""
    dashboard: DashboardOfHead | None = None
    try:
        services = services_of(asked.backend, asked.package)
        assert services is not None  # Or nobody had started us.
        dashboard = DashboardOfHead(asked.dashboard, asked.options.tls or services.tls())
        service = services.start(asked.options)
    except (ValueError, OSError, AuthenticationError, RuntimeError) as error:
        if dashboard is not None:
            dashboard.close()
        code = 2 if isinstance(error, ValueError) else 1
        _report(report_fd, code, str(error))
        return code
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: service.end())
    dashboard.begin(service)
    said = (_said(asked.options, service), dashboard.said)
    _report(report_fd, 0, "\n".join(part for part in said if part))
    why = service.run()
    dashboard.close()
    if why is None:
        return 0
    if service.has_left:
        print("The node was drained, and has left the cluster.")
        return 0
    print(f"The node has ended: {why}.", file=sys.stderr)
    return 1


def _report(report_fd: int, code: int, text: str) -> None:
    if report_fd < 0:
        print(text, file=sys.stderr if code else sys.stdout, flush=True)
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


def main(asked_fd: int, report_fd: int) -> int:
    """`asked_fd`: from which `Asked` is read."""
    gc.disable()  # Until all is imported, which stays: the service enables it.
    if report_fd >= 0:
        os.set_inheritable(report_fd, False)
    with open(asked_fd, "rb") as file:
        asked = msgspec.msgpack.decode(file.read(), type=Asked)
    os.environ.update(asked.variables)
    try:
        return supervise(asked, report_fd)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
