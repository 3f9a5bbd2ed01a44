"""What counts as a node's memory: the machine's, or its container's where that is less."""

import os

import psutil
import pytest

from raysim.config import Config
from raysim_cluster.memory import Gauge, alone, of_container, of_machine, there_and_available

GIB = 1 << 30


@pytest.fixture
def v2(tmp_path):
    (tmp_path / "memory.max").write_text(f"{4 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{3 * GIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {GIB}\ninactive_file {GIB}\n")
    return tmp_path


def test_a_container_s_limit_counts_and_its_idle_files_do_not(v2):
    assert of_container(v2, 8 * GIB) == (2 * GIB, 4 * GIB)


def test_a_limit_above_the_machine_is_none(v2):
    assert of_container(v2, 4 * GIB) is None


def test_no_limit_is_none(v2, tmp_path):
    (v2 / "memory.max").write_text("max\n")
    assert of_container(v2, 8 * GIB) is None
    assert of_container(tmp_path / "nothing", 8 * GIB) is None


def test_the_older_cgroups_have_other_names(tmp_path):
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(f"{4 * GIB}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{2 * GIB}\n")
    (folder / "memory.stat").write_text(f"total_inactive_file {GIB}\n")
    assert of_container(tmp_path, 8 * GIB) == (GIB, 4 * GIB)


def test_what_the_kernel_says_of_the_machine(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\nBuffers: 5 kB\n")
    assert there_and_available(str(file)) == (4096 * 1024, 1024 * 1024)


def test_the_kernel_s_words_are_those_that_others_understand():
    total, available = there_and_available("/proc/meminfo")
    memory = psutil.virtual_memory()
    assert total == memory.total
    assert 0.5 < available / memory.available < 2


def test_this_machine_uses_some_of_what_it_has():
    used, total = of_machine()
    assert 0 < used < total


def test_a_process_uses_some_and_one_that_is_gone_none():
    assert alone(os.getpid()) > 1 << 20
    assert alone(0) == 0


def test_with_a_limit_only_workers_count():
    usage = Gauge(Config(memory_limit_bytes=GIB), lambda: {1: os.getpid(), 2: 0}).read()
    assert usage.total == GIB
    assert usage.used > 1 << 20
    assert usage.of_worker(2) == usage.of_worker(3) == 0


def test_under_pressure_all_memory_counts_as_used():
    gauge = Gauge(Config(memory_limit_bytes=GIB), dict)
    assert gauge.read().used == 0
    gauge.pressed = True
    assert gauge.read().used == gauge.read().total == GIB
