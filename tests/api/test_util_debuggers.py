"""`ray.util.pdb` and `ray.util.ray_debugpy`: debuggers for code that has no terminal."""

import _thread
import logging
import os
import socket
import sys
from bdb import BdbQuit
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any, TextIO

import pytest

from tests.api.patience import until


@pytest.fixture
def pdb(lib: ModuleType, backend: str) -> ModuleType:
    if backend == "judge":
        pytest.skip("Ray's debugger wants its own client")
    return import_module(f"{lib.__name__}.util").pdb


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Client:
    """Whoever is at the other end of a debugger: says these lines, each at a prompt.

    A real thread: a simulated task that waits for its debugger stops the whole world, and with it those
    threads that `threading` starts in simulated code.
    """

    def __init__(self, port: int, *lines: str) -> None:
        self._port = port
        self._lines = lines
        self._runs = _thread.allocate_lock()
        self._runs.acquire()
        self.said: list[str] = []
        """What the debugger has said before each prompt."""
        _thread.start_new_thread(self._run, ())

    def join(self) -> None:
        with self._runs:
            pass

    def _run(self) -> None:
        try:
            self._speak()
        finally:
            self._runs.release()

    def _speak(self) -> None:
        sock: list[socket.socket] = []

        def connected() -> bool:
            try:
                sock.append(socket.create_connection(("127.0.0.1", self._port), timeout=20))
            except OSError:
                return False
            return True

        until(connected)
        with sock[0], sock[0].makefile("rw") as file:
            for line in self._lines:
                self.said.append(_until_prompt(file))
                file.write(line + "\n")
                file.flush()


def _until_prompt(file: TextIO) -> str:
    said = ""
    while not said.endswith("(Pdb) "):
        character = file.read(1)
        if not character:
            return said + " ... and hung up"
        said += character
    return said


def debugged(port: int, **more: str) -> dict[str, dict[str, str]]:
    return {
        "env_vars": {"RAY_DEBUG": "legacy", "REMOTE_PDB_PORT": str(port), **more},
    }


@pytest.mark.parametrize("way", ["set_trace", "breakpoint"])
def test_a_task_stops_for_who_connects(
    fresh: Callable[..., ModuleType], backend: str, pdb: ModuleType, way: str
) -> None:
    if way == "breakpoint" and backend != "cluster":
        pytest.skip("a simulated task has the terminal of its driver; Ray's workers ask Ray's own")
    ray = fresh()
    port = free_port()

    @ray.remote(runtime_env=debugged(port))
    def work(number: int) -> int:
        if way == "breakpoint":
            breakpoint()
        else:
            ray.util.pdb.set_trace()
        return number + 1

    ref = work.remote(41)
    client = Client(port, "p number", "number = 6", "c")
    assert ray.get(ref) == 7
    client.join()
    first, second, _ = client.said
    assert "work()" in first  # Up to Python 3.12 in the next line, later in that of the call.
    assert "41" in second


def test_an_exception_can_be_looked_at(fresh: Callable[..., ModuleType], pdb: ModuleType) -> None:
    ray = fresh()
    port = free_port()

    @ray.remote(runtime_env=debugged(port))
    def work() -> str:
        secret = "hammer"
        try:
            raise ValueError(secret)
        except ValueError:
            ray.util.pdb._post_mortem()
        return "on"

    ref = work.remote()
    client = Client(port, "p secret", "c")
    assert ray.get(ref) == "on"
    client.join()
    first, second = client.said
    assert "ValueError(secret)" in first
    assert "hammer" in second


@pytest.mark.parametrize("lines", [["q"], []], ids=["says so", "hangs up"])
def test_who_quits_ends_the_task(
    fresh: Callable[..., ModuleType], pdb: ModuleType, lines: list[str]
) -> None:
    ray = fresh()
    port = free_port()

    @ray.remote(runtime_env=debugged(port), max_retries=0)
    def work() -> None:
        ray.util.pdb.set_trace()

    ref = work.remote()
    client = Client(port, *lines)
    with pytest.raises(ray.exceptions.RayTaskError, match="BdbQuit"):
        ray.get(ref)
    client.join()


def test_where_the_debugger_listens_is_said(
    pdb: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process without a session, too."""
    port = free_port()
    said: list[str] = []
    monkeypatch.setenv("RAY_DEBUG", "legacy")
    monkeypatch.setenv("REMOTE_PDB_PORT", str(port))

    def accept(listener: socket.socket) -> tuple[socket.socket, Any]:
        """Somebody connects just now, who goes on at once."""
        here, there = socket.socketpair()
        there.sendall(b"c\n")
        said.append(capsys.readouterr().err)
        there.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(sys, "_client", there, raising=False)
        return here, None

    monkeypatch.setattr(socket.socket, "accept", accept)
    pdb.set_trace()
    assert f"python -m raysim.util.rpdb 127.0.0.1 {port}" in said[0]
    sys._client.close()


def test_connection_is_closed_when_they_went_while_they_were_told_something(
    pdb: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = socket.socketpair()
    monkeypatch.setenv("RAY_DEBUG", "legacy")
    monkeypatch.setenv("REMOTE_PDB_QUIET", "1")
    monkeypatch.setattr(socket.socket, "accept", lambda listener: (here, None))
    there.close()

    def stops() -> None:
        pdb.set_trace()
        raise AssertionError("nobody said that it may go on")

    with pytest.raises(BdbQuit):
        stops()
    assert here.fileno() == -1


def test_without_debugpy_nothing_stops(
    lib: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RAY_DEBUG", "1")
    monkeypatch.setitem(sys.modules, "debugpy", None)
    util = import_module(f"{lib.__name__}.util")
    with caplog.at_level(logging.ERROR):
        util.pdb.set_trace()
        util.ray_debugpy.set_trace()
    told = [record.message for record in caplog.records]
    assert len(told) == 2 or lib.__name__ == "ray"  # Ray's loggers pass nothing on.
    assert all("debugpy>=1.8.0" in one for one in told)


def test_debugpy_waits_for_an_editor_and_stops_in_the_caller_s_frame(
    lib: ModuleType, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "judge":
        pytest.skip("Ray wants a session for it")
    done: list[Any] = []
    debugpy = SimpleNamespace(
        __version__="1.8.5",
        listen=lambda address: done.append("listen") or ("here", 7),
        wait_for_client=lambda: done.append("wait"),
    )
    pydevd = SimpleNamespace(settrace=lambda stop_at_frame: done.append(stop_at_frame.f_code))
    monkeypatch.setitem(sys.modules, "debugpy", debugpy)
    monkeypatch.setitem(sys.modules, "pydevd", pydevd)
    util = import_module(f"{lib.__name__}.util")
    monkeypatch.setattr(util.ray_debugpy, "_port", {os.getpid() + 1: 3})
    monkeypatch.setattr(util.ray_debugpy, "get_node_ip_address", lambda: "127.0.0.1")
    monkeypatch.setenv("RAY_DEBUG", "1")

    def here() -> None:
        util.pdb.set_trace()
        util.ray_debugpy.set_trace()

    here()
    assert done == ["listen", "wait", here.__code__, "wait", here.__code__]


def test_accelerator_types_have_names(lib: ModuleType) -> None:
    accelerators = import_module(f"{lib.__name__}.util.accelerators")
    assert accelerators.NVIDIA_TESLA_T4 == "T4"
    assert accelerators.AMD_INSTINCT_MI250x == "AMD-Instinct-MI250X"
    with pytest.warns(DeprecationWarning, match="NVIDIA_A100"):
        assert accelerators.NVIDIA_TESLA_A100 == accelerators.NVIDIA_A100 == "A100"
    with pytest.raises(AttributeError):
        accelerators.NVIDIA_NONE  # noqa: B018  (the access is what is tested)
