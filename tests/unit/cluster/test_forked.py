"""A child that is a fork: how it ends, and what it has of its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysim_cluster.forked import Forked
from raysim_cluster.linux import watch_process
from tests.cluster.inspection import until

GONE_S = 20.0


def forked(live, name="raysim-test child"):
    """With one end of a pipe; what it wrote there is read from the other."""
    ours, theirs = os.pipe()
    child = Forked(name, theirs, live)
    os.close(theirs)
    return child, ours


def wait_long(fd):
    os.write(fd, b"ready")
    time.sleep(1_000)


@pytest.mark.parametrize(
    ("live", "code"),
    [
        (lambda fd: None, 0),
        (lambda fd: sys.exit(3), 3),
        (lambda fd: sys.exit("why"), 1),
        (lambda fd: 1 / 0, 1),
        (lambda fd: os.kill(os.getpid(), signal.SIGTERM), -signal.SIGTERM),
    ],
)
def test_its_end_is_that_of_a_program(live, code):
    child, ours = forked(live)
    os.close(ours)
    assert child.wait() == code
    assert child.poll() == code
    assert child.wait(0) == code


@pytest.mark.parametrize("has_pidfds", [True, False])
def test_one_that_goes_on_is_waited_for_in_vain_and_killed(monkeypatch, has_pidfds):
    watched = watch_process if has_pidfds else lambda pid: None
    monkeypatch.setattr("raysim_cluster.forked.watch_process", watched)
    child, ours = forked(wait_long)
    assert os.read(ours, 9) == b"ready"
    os.close(ours)
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    child.kill()
    assert child.wait(GONE_S) == -signal.SIGKILL
    child.kill()  # Nobody any more.


def test_it_has_one_descriptor_and_no_input_and_signals_end_it():
    """Of what the parent has open nobody would see the end; a handler would only tell the parent's objects."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in handlers:
        signal.signal(number, lambda *_: None)

    def tell(fd):
        open_ones = [one for one in os.listdir("/proc/self/fd") if int(one) > 2]
        os.write(fd, f"{open_ones} {fd} {os.read(0, 1)!r} {os.getsid(0) == os.getpid()}".encode())
        time.sleep(1_000)

    kept = os.open(os.devnull, os.O_RDONLY)
    try:
        child, ours = forked(tell)
        listed, fd, *rest = os.read(ours, 999).decode().replace("', '", "','").split(" ")
        # The other one is of the listing itself.
        assert str(kept) not in eval(listed)
        assert fd in eval(listed)
        assert len(eval(listed)) == 2
        assert rest == ["b''", "True"]
        child.send_signal(signal.SIGTERM)
        assert child.wait(GONE_S) == -signal.SIGTERM
    finally:
        os.close(kept)
        os.close(ours)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_others_see_its_own_command_line():
    child, ours = forked(wait_long, "raysim-test " + 10 * "x")
    shown = Path(f"/proc/{child.pid}/cmdline")
    assert until(lambda: shown.read_bytes().startswith(b"raysim-test\0xxxxxxxxxx\0"))
    assert shown.read_bytes().rstrip(b"\0") == b"raysim-test\0xxxxxxxxxx"
    child.kill()
    child.wait()
    os.close(ours)
