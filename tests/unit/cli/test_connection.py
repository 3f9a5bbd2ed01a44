"""How a command's connection to a cluster fails."""

import pytest

import raysim
from raysim.cli.connection import CommandFailedError, connected_to
from raysim.exceptions import LocalRayletDiedError, RaySystemError


@pytest.mark.parametrize("error", [LocalRayletDiedError("It is gone."), RaySystemError("No GCS.")])
def test_a_cluster_that_goes_while_it_is_asked_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """As where the head's machine is lost under `list --watch`."""
    ended = []
    monkeypatch.setattr(raysim, "init", lambda *_, **__: None)
    monkeypatch.setattr(raysim, "shutdown", lambda: ended.append(True))
    with pytest.raises(CommandFailedError) as told, connected_to("auto"):
        raise error
    assert told.value.message == str(error)
    assert ended
