"""A node's cgroups, in a folder that looks like them: the kernel's part is not tested here."""

import pytest

from raysim.spec.isolation import Isolation
from raysim_cluster.cgroups import NoCgroupsError, NodeCgroups, enter


@pytest.fixture
def base(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return tmp_path


def groups(base):
    return NodeCgroups(Isolation(str(base), 2500, 1 << 30), "n1")


def test_the_node_keeps_its_share_and_workers_have_the_rest(base):
    groups(base).create()
    node = base / "raysim_n1"
    assert (node / "system" / "cpu.weight").read_text() == "2500"
    assert (node / "system" / "memory.min").read_text() == str(1 << 30)
    assert (node / "workers" / "cpu.weight").read_text() == "7500"
    for folder in (base, node):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_processes_are_put_into_leaves(base):
    made = groups(base)
    made.create()
    enter(made.system, 12)
    enter(made.workers, 13)
    assert (base / "raysim_n1/system/leaf/cgroup.procs").read_text() == "12"
    assert (base / "raysim_n1/workers/leaf/cgroup.procs").read_text() == "13"


def test_what_is_no_cgroup_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(NoCgroupsError, match=r"no cgroup of version 2.*cgroup_path"):
        groups(tmp_path).create()
    assert list(tmp_path.iterdir()) == []


def test_missing_controllers_are_named(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(NoCgroupsError, match="controllers memory"):
        groups(tmp_path).create()


def test_what_the_kernel_refuses_leaves_nothing(base):
    (base / "cgroup.subtree_control").mkdir()
    with pytest.raises(NoCgroupsError, match="subtree_control"):
        groups(base).create()
    assert not (base / "raysim_n1").exists()


def test_removing_takes_only_what_is_empty(base):
    made = groups(base)
    made.remove()
    for leaf in (made.system, made.workers):
        leaf.mkdir(parents=True)
    made.remove()
    assert not (base / "raysim_n1").exists()
