"""What a host remembers of the processes that are gone."""

import msgspec

from raysim.spec.ids import WorkerId
from tests.unit.cluster.peers import Peers, Recorder


def test_a_host_tells_of_each_and_does_not_grow_with_them(peers: Peers) -> None:
    role = Recorder()
    host = peers.host(role)
    gone = [
        msgspec.structs.replace(host.address, worker_id=WorkerId(number.to_bytes(28, "big")))
        for number in range(3_000)
    ]
    for peer in gone:
        host._report_lost(peer)
    assert role.lost == gone
    assert len(host._lost_before) == 1_000
