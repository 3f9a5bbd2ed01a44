"""Starts workers by forking a process that has imported what they need. Never opens a socket of the protocol.

It is itself a fork of the node process, made before that opened its sockets: a child that inherited
one would hide its end from the peer. It ends, with all its workers, when the node process does.
"""

import gc
import importlib
import os
import select
import signal
import sys
from typing import Final, NoReturn

import msgspec

from raysim.spec.runtime_env import expanded
from raysim_cluster import spawned
from raysim_cluster.arena import Arena
from raysim_cluster.control import (
    Channel,
    ForkWorker,
    SetUp,
    SignalForks,
    StartNode,
    WorkerEnded,
    WorkerPlace,
)
from raysim_cluster.files_of_workers import PastOutputs
from raysim_cluster.inheritance import Inheritance
from raysim_cluster.linux import die_with_parent, ended_because, name_process, watch_process

_QUIET_MS: Final = 50
"""Without a request for so long, imports that only save time later are made."""

_OF_SOME: Final = "raysim.runtime.futures"
"""What only some workers need and is slow to import: with asyncio."""


class _Fork(msgspec.Struct):
    """A worker, or what has started one."""

    pid: int
    pidfd: int
    inheritance: Inheritance | None
    """What waits for the worker, where the fork becomes another program."""
    worker_fd: int = -1
    """A pidfd of the worker, where that is another process than the fork: a child, or in a container."""

    stops: int = 0
    """How often it was stopped and did not go on."""

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if number == signal.SIGSTOP:
            self.stops += 1
        elif number == signal.SIGCONT:
            self.stops = max(0, self.stops - 1)
            if self.stops:
                return
        self._send(number)

    def _send(self, number: int) -> None:
        os.kill(self.pid, number)  # Not reaped yet, so the pid is still its own.
        if self.worker_fd >= 0:
            try:
                signal.pidfd_send_signal(self.worker_fd, number)
            except ProcessLookupError:
                pass


class ForkServer:
    def __init__(self, node: Channel, settings: StartNode, arena: Arena) -> None:
        self._node = node
        self._settings = settings
        self._arena = arena
        self._set_up: SetUp | None = None
        self._workers: dict[int, _Fork] = {}
        """By token."""
        self._tokens: dict[int, int] = {}
        """pidfd to token."""
        self._waiting: dict[int, int] = {}
        """Socket of an inheritance to token."""
        self._poll = select.poll()
        self._poll.register(node.fileno(), select.POLLIN)
        self._preload = [_OF_SOME, *settings.preload]
        self._is_used = not settings.outlives_drivers
        """A node that waits for its first driver takes no memory for what may never be."""
        self._outputs = PastOutputs(settings.folder, settings.node_id)

    def serve(self) -> None:
        """Until the node process is gone."""
        while True:
            events = self._poll.poll(_QUIET_MS if self._preload and self._is_used else None)
            if not events:
                self._import_next()
            for fd, _ in events:
                if fd in self._waiting:
                    self._hand_over(fd)
                elif fd != self._node.fileno():
                    self._reap(fd)
                elif not self._obey():
                    return

    def end(self) -> None:
        """Kill all workers and wait until they are gone."""
        for fork in self._workers.values():
            fork.kill()
        for fork in self._workers.values():
            os.waitpid(fork.pid, 0)

    def _obey(self) -> bool:
        command, _ = self._node.receive()
        match command:
            case None:
                return False
            case SetUp():
                self._set_up = command
            case ForkWorker(token=token, place=place):
                self._fork(token, place)
            case SignalForks(tokens=tokens, signal=number):
                for token in self._workers if tokens is None else tokens:
                    if token in self._workers:
                        self._workers[token].signal(number)
            case _:
                raise AssertionError(f"the node process asked for {command}")
        return True

    def _fork(self, token: int, place: WorkerPlace | None) -> None:
        set_up = self._set_up
        assert set_up is not None, "asked to fork before being set up"
        self._is_used = True
        parent = os.getpid()
        inheritance = None
        try:
            if place is not None and place.start is not None:
                inheritance = Inheritance(self._settings, set_up, token, self._arena)
            pid = os.fork()
        except OSError as error:
            if inheritance is not None:
                inheritance.close()
            self._node.send(WorkerEnded(token, f"could not be forked: {error.strerror}"))
            return
        if pid == 0:
            self._become_worker(parent, set_up, token, place, inheritance)
        pidfd = os.pidfd_open(pid)
        self._workers[token] = _Fork(pid, pidfd, inheritance)
        self._tokens[pidfd] = token
        self._poll.register(pidfd, select.POLLIN)
        if inheritance is not None:
            self._waiting[inheritance.fileno()] = token
            self._poll.register(inheritance.fileno(), select.POLLIN)

    def _hand_over(self, fd: int) -> None:
        """A process that was started by a fork says that it is the worker."""
        fork = self._workers[self._waiting[fd]]
        assert fork.inheritance is not None
        pid = fork.inheritance.hand_over()
        if pid is None:
            return
        if pid != fork.pid:
            fork.worker_fd = watch_process(pid) or -1
        self._forget(fork)

    def _forget(self, fork: _Fork) -> None:
        """Nobody waits for its inheritance any more."""
        if fork.inheritance is not None:
            self._poll.unregister(fork.inheritance.fileno())
            del self._waiting[fork.inheritance.fileno()]
            fork.inheritance.close()
            fork.inheritance = None

    def _become_worker(
        self,
        parent: int,
        set_up: SetUp,
        token: int,
        place: WorkerPlace | None,
        inheritance: Inheritance | None,
    ) -> NoReturn:
        code = 1
        try:
            die_with_parent(parent)
            self._node.close()
            for fd in (*self._tokens, *self._waiting):
                os.close(fd)
            if place is not None:
                _enter(place)
                if place.start is not None and inheritance is not None:
                    session, folder = self._settings.session.session_id, self._settings.folder
                    spawned.become(place.start, inheritance.name, session, folder)
            from raysim_cluster import worker

            worker.main(self._settings, set_up, token, self._arena)
            code = 0
        except BaseException:  # noqa: BLE001  (the frames below belong to the fork-server)
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self, pidfd: int) -> None:
        token = self._tokens.pop(pidfd)
        fork = self._workers.pop(token)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        self._forget(fork)
        if fork.worker_fd >= 0:
            fork.kill()  # The program that started it has ended: nobody would tell of its end.
            os.close(fork.worker_fd)
        _, status = os.waitpid(fork.pid, 0)
        self._node.send(WorkerEnded(token, ended_because(status)))
        self._outputs.add(fork.pid)

    def _import_next(self) -> None:
        name = self._preload.pop(0)
        try:
            importlib.import_module(name)
        except ImportError:  # The driver has it from elsewhere; a task that needs it will say so.
            return
        gc.freeze()


def _enter(place: WorkerPlace) -> None:
    """Take this process to where its runtime environment wants it."""
    os.environ.update(expanded(place.variables, os.environ))
    if place.folder:
        os.chdir(place.folder)
    sys.path[:0] = place.paths


def main(node: Channel, settings: StartNode, arena: Arena) -> NoReturn:
    """The fork-server's whole life, in a fork of the node process."""
    code = 1
    try:
        name_process("raysim-forks")
        from raysim_cluster import worker  # noqa: F401  (what every worker needs, imported once)

        if not settings.outlives_drivers:
            importlib.import_module(_OF_SOME)  # The first workers are forked before it is quiet.

        # Objects made so far are never collected, so that workers share their pages. What of them is garbage
        # already is less than looking for it would cost: 12 ms of the start.
        gc.freeze()
        gc.enable()
        server = ForkServer(node, settings, arena)
        try:
            server.serve()
        except ConnectionError:  # The node process ended while it was told something.
            pass
        finally:
            server.end()
        code = 0
    except BaseException:  # noqa: BLE001  (the frames below belong to the node process)
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
