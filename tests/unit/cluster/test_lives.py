"""One process after another at the same address, as the GCS has them: the end of the first never takes the second's
connections along."""

import os
from collections.abc import Callable, Iterator

import pytest

from raysim.protocol.messages import CheckHealth, Healthy
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId
from raysim_cluster import transport
from raysim_cluster.host import LoopHost
from tests.unit.cluster.peers import Peers, Recorder


class Lives:
    """Of one address: only the last of them is turned."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._worker_id = WorkerId(os.urandom(28))
        self._port = 0
        self.number = 0
        self.role = Recorder(Healthy)
        self.host = self._begin()

    def _begin(self) -> LoopHost:
        host = self._peers.host(self.role, worker_id=self._worker_id, port=self._port)
        self._port = int(host.address.endpoint.rpartition(":")[2])
        return host

    def begin_again(self) -> Callable[[], None]:
        """The last one has ended without a word, as by a SIGKILL. Call what is returned to have its connections break:
        a process it left behind has held them, or nobody has looked."""
        last, self.role = self.host, Recorder(Healthy)
        self._peers.hosts.remove(last)
        last.transport._entrance.abandon()
        self.number += 1
        self.host = self._begin()

        def break_up() -> None:
            last.transport.abandon()
            last.poller.close()

        return break_up


@pytest.fixture
def peers() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.close()


def spoken(peers: Peers, lives: Lives, node: str, first: str) -> tuple[LoopHost, Recorder]:
    """Another process, and the GCS, of which one has begun to speak to the other."""
    role = Recorder(CheckHealth)
    role.on_message = lambda sender, check: host.send(sender, Healthy(check.number))
    host = peers.host(role, node=node)
    if first == "other":
        host.send(lives.host.address, Healthy(-1))
    else:
        lives.host.send(host.address, CheckHealth(0))
    peers.turn(lambda: bool(lives.role.heard))
    return host, role


@pytest.mark.parametrize("first", ["gcs", "other"])
@pytest.mark.parametrize("node", ["node-0", "node-1"])
def test_the_next_life_is_heard_by_one_who_has_not_seen_the_end_of_the_last(
    peers: Peers, node: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(peers)
    # All hosts of this test are of one process.
    monkeypatch.setattr(transport, "_life_at", lambda sock: bytes([lives.number]))
    address = lives.host.address
    host, role = spoken(peers, lives, node, first)
    known_lost: list[list[Address]] = []
    answer: Callable[[Address, CheckHealth], None] = role.on_message

    def hear(sender: Address, check: CheckHealth) -> None:
        known_lost.append(list(role.lost))
        answer(sender, check)

    role.on_message = hear
    break_up = lives.begin_again()
    for number in range(3):
        lives.host.send(host.address, CheckHealth(number))
        peers.turn(lambda number=number: len(lives.role.heard) > number)
        if not number:
            break_up()
            for _ in range(50):  # Whatever is on its way comes.
                peers.turn_once()
    assert role.lost == [address]
    assert known_lost == [[address]] * 3
    assert lives.role.messages() == [Healthy(0), Healthy(1), Healthy(2)]
    assert lives.role.lost == []
    assert lives.host.address == address
