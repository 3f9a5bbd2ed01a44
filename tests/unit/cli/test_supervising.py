"""What whoever starts a node is told when it does not start."""

import errno
import os
from typing import NoReturn

import pytest

from raysim.api.init_options import DEFAULT_BACKEND
from raysim.backend import NodeOptions
from raysim.cli import supervising
from raysim.cli.supervising import Asked, supervise
from raysim.services import ServiceOptions


class _Full:
    """Of a machine whose disk is full."""

    def tls(self) -> None:
        return None

    def start(self, _: ServiceOptions) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/folder")


def test_what_the_system_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervising, "services_of", lambda *_: _Full())
    asked = Asked(DEFAULT_BACKEND, "", ServiceOptions(node=NodeOptions()), None, {})
    assert supervise(asked, -1) == 1
    assert capfd.readouterr().err == "[Errno 28] No space left on device: '/full/folder'\n"
