"""What `raysim start` refuses before anything is started, and what it is told of a node."""

import msgspec
import pytest

from raysim.cli import start as starting
from raysim.cli.supervising import Asked, supervise
from raysim.services import ServiceOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ServiceOptions]:
    """What would be started."""
    found: list[ServiceOptions] = []

    def become(asked: Asked) -> int:
        # As it comes through the descriptor.
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=Asked)
        found.append(again.options)
        return 0

    monkeypatch.setattr(starting, "_become", become)
    return found


def test_a_head_is_what_its_options_say(raysim, asked: list[ServiceOptions]) -> None:
    options = (
        *("--num-cpus", "3", "--num-gpus", "1", "--memory", "2GiB"),
        *("--object-store-memory", "64MiB", "--resources", '{"disk": 0.5}'),
        *("--labels", "region=eu, kind=large", "--node-name", "first", "--port", "7000"),
        *("--system-config", '{"max_spillback_hops": 2}'),
    )
    assert raysim("start", "--head", "--block", *options).code == 0
    (found,) = asked
    node = found.node
    assert (node.num_cpus, node.num_gpus, node.memory) == (3, 1, 2 << 30)
    assert (node.object_store_memory, node.resources) == (64 << 20, {"disk": 0.5})
    assert (node.labels, node.name) == ({"region": "eu", "kind": "large"}, "first")
    assert (found.address, found.host, found.port) == (None, "127.0.0.1", 7000)
    assert found.config.max_spillback_hops == 2


def test_ray_s_port_is_the_head_s_unless_told(raysim, asked: list[ServiceOptions]) -> None:
    raysim("start", "--head", "--block", "--labels", '{"kind": "small"}')
    assert (asked[0].port, asked[0].node.labels) == (6379, {"kind": "small"})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "Give --head to start a cluster, or --address"),
        (("--head", "--address", "h:1"), "Give --head to start a cluster, or --address"),
        (("--address", "h:1", "--port", "7"), "are the head's"),
        (("--address", "h:1", "--dashboard-port", "7"), "are the head's"),
        (("--head", "--resources", "disk=1"), "'disk=1' is no JSON"),
        (("--head", "--resources", '{"disk": "1"}'), "disk is '1', and no number"),
        (("--head", "--labels", "kind"), "'kind' is not written as key=value"),
        (("--head", "--memory", "2 GiBi"), "GiB"),
        (("--head", "--system-config", '{"max_spillback_hop": 1}'), "Did you mean max_spillback"),
        (("--haed",), "'--head'"),
    ],
)
def test_what_does_not_fit_is_bad_input(
    raysim, asked: list[ServiceOptions], args: tuple[str, ...], said: str
) -> None:
    ended = raysim("start", "--block", *args)
    assert ended.code == 2
    assert said in ended.err
    assert asked == []


def test_listening_beyond_this_machine_needs_to_be_said(raysim, monkeypatch) -> None:
    monkeypatch.setattr(starting, "_become", lambda asked: supervise(asked, -1))
    ended = raysim("start", "--head", "--block", "--node-ip-address", "0.0.0.0", "--no-dashboard")
    assert ended.code == 2
    assert "is not encrypted" in ended.err
    assert "--allow-plaintext" in ended.err
