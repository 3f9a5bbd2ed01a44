"""What things cost on one machine, in a file: the network of a scenario and nothing else. Never measures it."""

from __future__ import annotations

from pathlib import Path

from raysim.scenario.model import Network
from raysim.scenario.part import Part
from raysim.scenario.reading import read_text
from raysim.scenario.validation import validate
from raysim.scenario.yamltext import parse_yaml


class MachineCluster(Part):
    """Of the cluster, only this."""

    network: Network


class Machine(Part):
    """What `raysim calibrate` writes, and what a scenario may include."""

    cluster: MachineCluster


def load_network(file: Path) -> Network:
    """The costs in this file. Raises ScenarioError with every problem and its place."""
    return validate(Machine, parse_yaml(read_text(file), str(file))).cluster.network
