"""What the cluster backend refuses, before it starts anything."""

from pathlib import Path

import pytest

from raysim.backend import InitOptions, NodeOptions, load
from raysim_cluster.world import create


def test_the_backend_is_found_by_its_name() -> None:
    assert load("cluster") is create


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("10.0.0.1:6379", "raysim start --address 10.0.0.1:6379"),
        ("auto", "raysim start --head"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_with_what_to_do(
    address: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(ConnectionError, match=said):
        create(InitOptions(nodes=[NodeOptions()], address=address))
    assert list(tmp_path.iterdir()) == []


def test_options_of_the_simulator_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no option 'network'.*Use the sim backend"):
        create(InitOptions(nodes=[NodeOptions()], world={"network": "free"}))
