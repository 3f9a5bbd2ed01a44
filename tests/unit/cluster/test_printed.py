"""What workers print reaches the driver of their job, in order, whoever has called them."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from raysim.protocol.messages.state import JobSeen
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim.spec.ids import driver_task, job_id
from raysim_cluster.host import LoopHost
from raysim_cluster.printed import Directory, Screen, Teller, driver_id
from tests.unit.cluster.peers import Peers, Recorder

JOB = job_id(3)


class Three:
    """A worker, the GCS, and a driver, each with its role alone."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.driver = peers.host(Screen(True), worker_id=driver_id())
        self.jobs: list[JobSeen] = []
        self.gcs = peers.host(Recorder())
        table: Any = SimpleNamespace(seen=lambda: self.jobs)
        self.gcs.attach(Process([Directory(self.gcs.send, table)]))
        self.worker = peers.host(Recorder())
        worker: Any = SimpleNamespace(
            host=_Soon(self.worker), gcs=self.gcs.address, context=SimpleNamespace(task=None)
        )
        worker.context.task_id = driver_task(JOB)
        self._context = worker.context
        self.teller = Teller(worker)
        self.worker.attach(Process([self.teller]))

    def called_by(self, caller: Address) -> None:
        self._context.task = SimpleNamespace(caller=caller)

    def runs(self, finished: bool = False) -> None:
        self.jobs.append(JobSeen(JOB, self.driver.address, "app.py", "", finished))

    def turn_a_while(self) -> None:
        for _ in range(50):
            self._peers.turn_once()


class _Soon:
    """A worker's host, as its role sees it."""

    def __init__(self, host: LoopHost) -> None:
        self._host = host
        self.send, self.call_later, self.config = host.send, host.call_later, host.config

    def soon(self, action: Callable[[], None]) -> None:
        self._host.call_later(0, action)


@pytest.fixture
def three() -> Iterator[Three]:
    peers = Peers()
    yield Three(peers)
    peers.close()


def test_a_call_of_the_driver_needs_nobody_else(
    three: Three, capsys: pytest.CaptureFixture[str]
) -> None:
    three.called_by(three.driver.address)
    three.teller.tell(False, "(f pid=1) out\n")
    three.teller.tell(True, "(f pid=1) error\n")
    three.turn_a_while()
    assert capsys.readouterr() == ("(f pid=1) out\n", "(f pid=1) error\n")
    assert three.gcs.transport.peers_of(three.worker.address.node_id) == []


def test_the_gcs_says_whose_it_is_that_another_worker_has_called(
    three: Three, capsys: pytest.CaptureFixture[str]
) -> None:
    three.runs()
    three.called_by(three.gcs.address)
    for number in range(3):
        three.teller.tell(False, f"{number}\n")
    three.turn_a_while()
    three.teller.tell(False, "3\n")
    three.turn_a_while()
    assert capsys.readouterr().out == "0\n1\n2\n3\n"


def test_what_is_printed_for_a_job_that_has_ended_is_shown_to_nobody(
    three: Three, capsys: pytest.CaptureFixture[str]
) -> None:
    three.runs(finished=True)
    three.teller.tell(False, "late\n")
    three.turn_a_while()
    assert capsys.readouterr().out == ""
    assert three.driver.transport.peers_of(three.worker.address.node_id) == []


def test_who_is_asked_for_is_asked_again_when_the_gcs_is_back(
    three: Three, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = SimpleNamespace(again=lambda: None)

    def call_later(delay_ns: int, action: Callable[[], None]) -> None:
        waits.again = action

    three.teller._host.call_later = call_later
    # The message is lost with the GCS.
    lost: list[object] = []
    three.teller._host.send = lambda to, message: lost.append(message)
    three.teller.tell(False, "kept\n")
    three.turn_a_while()
    assert len(lost) == 1
    three.teller._host.send = three.worker.send
    three.teller.peer_lost(three.gcs.address)
    three.runs()
    waits.again()
    three.turn_a_while()
    assert capsys.readouterr().out == "kept\n"
