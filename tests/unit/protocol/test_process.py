"""A process and its roles: whom a message goes to."""

import pytest

from raysim.protocol.messages import CheckHealth, GetNodes, Healthy
from raysim.protocol.process import Process
from tests.unit.protocol.fake_host import address

PEER = address("peer")


class Stub:
    kinds: tuple = ()

    def __init__(self):
        self.asked = 0
        self.heard = []

    @classmethod
    def handlers(cls):
        return dict.fromkeys(cls.kinds, cls.handler)

    def handler(self):
        self.asked += 1
        return lambda sender, message: self.heard.append(message)


def test_a_message_goes_to_the_role_that_handles_it():
    class One(Stub):
        kinds = (CheckHealth,)

    class Other(Stub):
        kinds = (Healthy,)

    one, other = One(), Other()
    process = Process([one, other])
    for message in (Healthy(1), CheckHealth(2), Healthy(3), GetNodes(4)):
        process.receive(PEER, message)
    assert (one.heard, other.heard) == ([CheckHealth(2)], [Healthy(1), Healthy(3)])


def test_a_handler_is_made_when_the_first_message_of_its_kind_comes():
    """A simulated cluster has tens of thousands of workers, each of which hears of two kinds."""

    class Role(Stub):
        kinds = (CheckHealth, Healthy)

    role = Role()
    process = Process([role])
    assert role.asked == 0
    process.receive(PEER, Healthy(1))
    process.receive(PEER, Healthy(2))
    assert (role.asked, len(role.heard), list(process.handlers)) == (1, 2, [Healthy])


def test_no_two_roles_handle_one_kind():
    class Twin(Stub):
        kinds = (CheckHealth,)

    class Double(Stub):
        kinds = (CheckHealth,)

    with pytest.raises(AssertionError, match="two roles handle CheckHealth"):
        Process([Twin(), Double()]).receive(PEER, CheckHealth(1))
