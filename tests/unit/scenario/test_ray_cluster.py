"""A cluster's configuration as Ray writes it."""

from pathlib import Path

import pytest

from raysim.scenario.problems import ScenarioError
from raysim.scenario.ray_cluster import read_growth

TEXT = """
policy: target_utilization(target=0.5)
provider: {type: local}
available_node_types: {small: {resources: {CPU: 2}}}
"""


def test_a_real_cluster_grows_by_the_policy_that_its_file_names(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(TEXT)
    assert read_growth(file).spec.policy == "target_utilization(target=0.5)"
    file.write_text(TEXT.replace("target=0.5", "aim=0.5"))
    with pytest.raises(ScenarioError, match=r"cluster\.yaml:2:9: .*has no argument 'aim'"):
        read_growth(file)
