"""Processes of a node and their raylet."""

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address


class RegisterWorker(Message):
    """Worker to raylet: the process that was asked for with this token is up.

    Reply: WorkerRegistered. Lost: asked again; unknown tokens are told to exit.
    """

    token: int
    pid: int


class WorkerRegistered(Message):
    """Raylet to worker: go on; the GCS is there.

    Lost: the worker registers again.
    """

    gcs: Address
    node_name: str


class RegisterDriver(Message):
    """Driver to raylet: a program's process joins this node.

    Reply: WorkerRegistered. Lost: asked again.
    """

    pid: int
    observer: bool = False
    """As in RegisterJob."""


class ExitWorker(Message):
    """Raylet or GCS to worker: finish what runs, then end.

    Reply: the process ends. Lost: the raylet kills the process at its next reaping.
    """

    reason: str


class WorkerExiting(Message):
    """Worker to raylet: this process ends of its own will (`intended`: not a crash).

    Lost: the end counts as a crash.
    """

    reason: str
    intended: bool


class WorkerBlocked(Message):
    """Worker to raylet: user code waits in get or wait; its CPUs may be lent on. `number` grows per worker.

    Reply: none. Lost: the CPUs stay held, which can cost time, never correctness.
    """

    number: int


class WorkerUnblocked(Message):
    """Worker to raylet: user code goes on (it may oversubscribe for a while). `number`: of its WorkerBlocked.

    Lost: the CPUs count as free until the lease returns.
    """

    number: int
