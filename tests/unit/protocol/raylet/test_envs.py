"""Runtime environments on a node: workers are told apart by them, and they are set up once."""

import json

import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    ExitWorker,
    GetPackage,
    PackagePart,
    PrepareEnv,
    ReturnWorkerLease,
    WorkerLeaseRefused,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.resources import fixed
from raysim.spec.runtime_env import write_env
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, MS, Node, worker_address

RED = json.dumps({"env_vars": {"SHED": "red"}})
BLUE = json.dumps({"env_vars": {"SHED": "blue"}})
PIP = json.dumps({"pip": {"packages": ["hammer"]}})
URI = "gcs://_ray_pkg_1.zip"
DIR = json.dumps({"working_dir": URI, "config": {"setup_timeout_seconds": 5}})


def refused(node: Node, owner: Address) -> dict[int, FailureKind]:
    return {
        message.lease_id: message.failure.kind
        for to, message in node.host.of(WorkerLeaseRefused)
        if to == owner
    }


def test_a_worker_is_started_in_the_environment_that_is_asked_for(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=RED)
    assert node.host.workers.envs == {1: RED}
    node.worker_up(1)
    assert node.granted(owner) == {1: worker_address(1)}


def test_a_worker_is_lent_again_in_its_own_environment_only(node: Node, owner: Address) -> None:
    node.ask(owner, 1, runtime_env=RED)
    red = node.worker_up(1)
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 2, runtime_env=BLUE)
    node.ask(owner, 3)
    node.ask(owner, 4, runtime_env=RED)
    assert node.host.workers.envs == {1: RED, 2: BLUE, 3: ""}
    assert node.granted(owner) == {1: red, 4: red}


def test_a_worker_that_comes_up_goes_to_the_first_who_waits_for_its_environment(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=RED)
    node.ask(owner, 2, runtime_env=BLUE)
    blue = node.worker_up(2)
    assert node.granted(owner) == {2: blue}


def test_cancelling_one_environments_request_leaves_the_others_waiting(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=RED)
    node.ask(owner, 2, runtime_env=BLUE)
    node.tell(owner, CancelWorkerLease(1))
    red, blue = node.worker_up(1), node.worker_up(2)
    assert node.granted(owner) == {2: blue}
    assert red != blue


def test_what_has_to_be_installed_is_set_up_before_a_worker_starts(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=PIP)
    assert node.host.envs.asked == [PIP]
    assert node.host.workers.started == []
    node.raylet.env_finished(PIP, None)
    assert node.host.workers.envs == {1: PIP}


def test_an_environment_is_set_up_once_for_all_who_ask(node: Node, owner: Address) -> None:
    node.ask(owner, 1, runtime_env=PIP)
    node.ask(owner, 2, runtime_env=PIP)
    node.raylet.env_finished(PIP, None)
    assert node.host.envs.asked == [PIP]
    assert node.host.workers.started == [1, 2]
    node.worker_up(1)
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 3, runtime_env=PIP)
    assert node.host.envs.asked == [PIP]


def test_what_cannot_be_set_up_is_refused_to_all_who_wait_and_tried_again_for_the_next(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=PIP)
    node.ask(owner, 2, runtime_env=PIP)
    node.ask(owner, 3, runtime_env=RED)
    node.raylet.env_finished(PIP, "no hammer there")
    kind = FailureKind.RUNTIME_ENV_SETUP
    assert refused(node, owner) == {1: kind, 2: kind}
    assert node.free() == 3  # Of 4: the red one waits for its worker.
    node.ask(owner, 4, runtime_env=PIP)
    assert node.host.envs.asked == [PIP, PIP]


@pytest.mark.parametrize("text", ["CPU", "3", "[1]", '{"env_vars": 3}'])
def test_an_environment_that_is_none_is_refused_to_who_asks_and_stops_nobody(
    node: Node, owner: Address, text: str
) -> None:
    """Our own API checks what it writes; a process of another version may not."""
    node.ask(owner, 1, runtime_env=text)
    node.host.advance(0)
    assert refused(node, owner) == {1: FailureKind.RUNTIME_ENV_SETUP}
    node.ask(owner, 2, runtime_env=RED)
    assert node.host.workers.envs == {1: RED}


def test_nobody_waits_longer_than_the_time_the_environment_allows(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=DIR)
    node.tell(GCS, PackagePart(URI, 0, 3, b"zip"))
    node.host.advance(4_999 * MS)
    assert refused(node, owner) == {}
    node.host.advance(1 * MS)
    assert refused(node, owner) == {1: FailureKind.RUNTIME_ENV_SETUP}
    assert node.host.envs.given_up == [DIR]
    node.raylet.env_finished(DIR, None)  # The end of it crossed that: it changes nothing.
    assert node.host.workers.started == []


def test_packages_come_from_the_gcs_part_by_part_before_the_set_up(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=DIR)
    assert node.host.of(GetPackage) == [(GCS, GetPackage(URI, 0))]
    node.tell(GCS, PackagePart(URI, 0, 6, b"abc"))
    assert node.host.of(GetPackage)[-1] == (GCS, GetPackage(URI, 3))
    node.tell(GCS, PackagePart(URI, 0, 6, b"abc"))  # A second copy.
    assert node.host.envs.asked == []
    node.tell(GCS, PackagePart(URI, 3, 6, b"def"))
    assert node.host.envs.packages == {URI: b"abcdef"}
    assert node.host.envs.asked == [DIR]


def test_a_lost_request_for_a_package_is_repeated(node: Node, owner: Address) -> None:
    node.ask(owner, 1, runtime_env=DIR)
    node.host.advance(node.host.config.request_retry_ns)
    assert node.host.of(GetPackage) == [(GCS, GetPackage(URI, 0))] * 2


def test_a_package_that_the_gcs_does_not_have_fails_the_set_up(node: Node, owner: Address) -> None:
    node.ask(owner, 1, runtime_env=DIR)
    node.tell(GCS, PackagePart(URI, 0, -1))
    assert refused(node, owner) == {1: FailureKind.RUNTIME_ENV_SETUP}


def test_two_environments_share_a_package(node: Node, owner: Address) -> None:
    other = json.dumps({"working_dir": URI, "env_vars": {"SHED": "red"}})
    node.ask(owner, 1, runtime_env=DIR)
    node.ask(owner, 2, runtime_env=other)
    assert node.host.of(GetPackage) == [(GCS, GetPackage(URI, 0))]
    node.tell(GCS, PackagePart(URI, 0, 3, b"zip"))
    assert node.host.envs.asked == [DIR, other]


def test_a_driver_has_its_environment_set_up_before_the_first_call(
    node: Node, owner: Address
) -> None:
    node.tell(owner, PrepareEnv(PIP))
    assert node.host.envs.asked == [PIP]
    node.raylet.env_finished(PIP, None)
    assert node.host.workers.started == []
    node.ask(owner, 1, runtime_env=PIP)
    assert node.host.workers.envs == {1: PIP}


def test_a_command_that_starts_no_worker_is_the_fault_of_its_environment(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, runtime_env=write_env({"py_executable": "/no/such"}))
    for token in range(1, 7):
        node.end_worker(token)
        node.host.advance(10_000 * MS)
    assert refused(node, owner) == {1: FailureKind.RUNTIME_ENV_SETUP}


def test_workers_that_do_not_start_in_one_environment_do_not_hold_up_others(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1, fixed({"CPU": 1}), runtime_env=RED)
    for token in range(1, 7):
        node.end_worker(token)
        node.host.advance(10_000 * MS)
    assert refused(node, owner) == {1: FailureKind.TASK_UNSCHEDULABLE}
    plain = node.lease(address("other", "here"), 1)
    assert plain == worker_address(node.host.workers.started[-1])


@pytest.mark.parametrize("env", ["", RED])
def test_idle_workers_above_the_limit_end_whatever_their_environment(
    node: Node, owner: Address, env: str
) -> None:
    for lease in range(1, 5):
        node.ask(owner, lease, runtime_env=BLUE)
        node.worker_up(lease)
    for lease in range(1, 5):
        node.tell(owner, ReturnWorkerLease(lease))
    node.ask(owner, 5, runtime_env=env)
    worker = node.worker_up(5)
    node.tell(owner, ReturnWorkerLease(5))
    assert node.granted(owner)[5] == worker
    node.host.advance(node.host.config.idle_worker_keep_ns)
    assert [to for to, _ in node.host.of(ExitWorker)] == [worker_address(1)]
