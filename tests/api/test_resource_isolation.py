"""`enable_resource_isolation` and what goes with it. That it works needs cgroups, which few machines let tests have."""

import os

import pytest

GIB = 1 << 30


@pytest.mark.parametrize(
    "arguments",
    [
        {"cgroup_path": "/sys/fs/cgroup"},
        {"system_reserved_cpu": 1.0},
        {"system_reserved_memory": GIB},
    ],
)
def test_arguments_without_isolation_are_refused(fresh, arguments):
    with pytest.raises(ValueError, match="cannot be set when resource isolation is not enabled"):
        fresh(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"system_reserved_cpu": "1"}, "Invalid value=1 for system_reserved_cpu"),
        ({"system_reserved_cpu": 0.5}, "system_reserved_cpu=0.5 is less than the minimum"),
        ({"system_reserved_cpu": 10_000}, "greater than or equal to the number of cpus"),
        ({"system_reserved_memory": "1"}, "Invalid value 1 for system_reserved_memory"),
        ({"system_reserved_memory": 1.5}, "Invalid value 1.5 for system_reserved_memory"),
        ({"system_reserved_memory": 1}, "system_reserved_memory 1 is less than the minimum"),
        ({"system_reserved_memory": 2**60}, "greater than the amount of memory"),
        ({"cgroup_path": 3}, "Invalid value=3 for cgroup_path"),
    ],
)
def test_wrong_values_are_refused(fresh, arguments, said):
    if "system_reserved_cpu" not in arguments and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("The one core that there is cannot be kept, which is said first")
    with pytest.raises(ValueError, match=said):
        fresh(enable_resource_isolation=True, **arguments)
