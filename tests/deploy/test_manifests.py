"""What is shipped for Kubernetes, containers and systemd: rendered by Helm itself, judged by the schemas of Kubernetes.

`make manifests` runs it where both can be installed.
"""

import configparser
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from raysim.cli.nodes import start
from raysim.scenario.ray_cluster import read_growth
from raysim.spec.autoscaling import NodeType
from raysim.spec.growth import KubernetesPods
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.resources import fixed
from raysim_cluster.certificates import shown
from raysim_cluster.growth.kubernetes import pod
from raysim_cluster.tls_files import find_tls

helm = pytest.importorskip("helm_python")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "raysim"
VERSIONS = ("1.28", "1.34")
GROWING = {
    "head": {"enableInTreeAutoscaling": True},
    "worker": {"rayStartParams": {"object-store-memory": "1GiB"}, "nodeSelector": {"pool": "a"}},
    "additionalWorkerGroups": {
        "wide": {"nodeResources": {"CPU": 8, "disk": 2}, "minReplicas": 1, "maxReplicas": 4}
    },
}


def rendered(**values: Any) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="mine", namespace="here")
    return [one for text in files.values() for one in yaml.safe_load_all(text) if one]


def check(manifest: dict[str, Any]) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def of_kind(manifests: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def test_the_chart_passes_helms_own_checks() -> None:
    report = helm.lint(CHART, {"allowPlaintext": True}, strict=True)
    assert [
        one for one in report["messages"] if one["severity"] > 1
    ] == []  # 1: what could be nicer.


@pytest.mark.parametrize(
    "values",
    [
        {"allowPlaintext": True},
        {"tls": {"secretName": "mine-tls"}, "authTokenSecret": "own"},
        {"tls": {"secretName": "mine-tls", "dashboardClientCerts": True}},
        {"allowPlaintext": True, **GROWING},
        {"tls": {"secretName": "mine-tls"}, **GROWING},
        {"allowPlaintext": True, "worker": {"disabled": True}},
    ],
    ids=["plain", "tls", "mutual tls", "growing", "growing with tls", "head alone"],
)
def test_what_the_chart_makes_is_valid(values: dict[str, Any]) -> None:
    manifests = rendered(**values)
    assert "mine-raysim-head" in of_kind(manifests, "Deployment")
    for one in manifests:
        check(one)


def test_a_link_in_the_clear_has_to_be_asked_for() -> None:
    with pytest.raises(helm.HelmRenderError, match=r"Set tls\.secretName"):
        rendered()


def test_nodes_of_a_group_join_the_head() -> None:
    manifests = rendered(
        allowPlaintext=True,
        additionalWorkerGroups={"wide": {"replicas": 3}},
        worker={"replicas": 2},
    )
    groups = of_kind(manifests, "Deployment")
    assert {name: one["spec"]["replicas"] for name, one in groups.items()} == {
        "mine-raysim-head": 1,
        "mine-raysim-workergroup": 2,
        "mine-raysim-wide": 3,
    }
    (service,) = of_kind(manifests, "Service")
    (container,) = groups["mine-raysim-wide"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][container["args"].index("--address") + 1] == f"{service}:6379"


def test_the_arguments_of_all_containers_are_the_commands_own() -> None:
    manifests = rendered(allowPlaintext=True, head={"rayStartParams": {"num-cpus": "0"}})
    known = {option for parameter in start.params for option in parameter.opts}
    for one in of_kind(manifests, "Deployment").values():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["tini", "--", "raysim"]
        command, *arguments = container["args"]
        assert command == "start"
        assert {one for one in arguments if one.startswith("--")} <= known


def test_the_head_reads_what_it_may_grow_to(tmp_path: Path) -> None:
    (config,) = of_kind(rendered(allowPlaintext=True, **GROWING), "ConfigMap").values()
    file = tmp_path / "cluster.yaml"
    file.write_text(config["data"]["cluster.yaml"])
    growth = read_growth(file)
    assert [(kind.name, kind.min_workers, kind.max_workers) for kind in growth.spec.node_types] == [
        ("wide", 1, 4),
        ("workergroup", 0, 3),
    ]
    machines = growth.machines
    assert isinstance(machines, KubernetesPods)
    made = pod(machines, machines.head, NodeId(bytes(UNIQUE_ID_BYTES)), growth.spec.node_types[1])
    check(made)
    (container,) = made["spec"]["containers"]
    assert container["command"] == ["tini", "--", "raysim"]
    assert made["spec"]["nodeSelector"] == {"pool": "a"}
    names = [one["name"] for one in container["env"]]
    assert len(names) == len(set(names))


def test_a_pod_without_a_template_is_valid() -> None:
    settings = KubernetesPods(
        cluster="mine", namespace="here", image="raysim:1", head="h:1", token_secret="t"
    )
    kind = NodeType("gpu", fixed({"CPU": 1.5, "GPU": 1, "memory": 2**33}))
    check(pod(settings, "h:1", NodeId(bytes(UNIQUE_ID_BYTES)), kind))


@pytest.mark.parametrize("name", ["raysim-head.service", "raysim-node.service"])
def test_a_unit_is_one(name: str, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    text = (DEPLOY / "systemd" / name).read_text()
    unit.read_string(text)
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here")
    there = tmp_path / name
    there.write_text(text.replace("/opt/raysim/bin/raysim", "/bin/true"))
    shown = subprocess.run(
        [analyze, "verify", "--man=no", str(there)], capture_output=True, text=True, check=False
    )
    assert (shown.returncode, name in shown.stderr) == (0, False), shown.stderr


def test_what_is_built_into_the_image_is_there() -> None:
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    root = DEPLOY.parent
    copied = [
        name
        for line in dockerfile.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    kept = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert copied
    for name in copied:
        assert (root / name).exists()
        assert f"!{name}" in kept


def test_compose_names_one_image_and_only_its_own_network() -> None:
    compose = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    assert set(compose["services"]) == {"secrets", "head", "node"}
    for service in compose["services"].values():
        assert service["image"] == "raysim"
        assert service["networks"] == list(compose["networks"])
        assert "ports" not in service
    assert "--head" in json.dumps(compose["services"]["head"]["command"])


def test_compose_makes_what_its_nodes_need_and_nothing_of_it_is_in_the_clear(
    tmp_path: Path,
) -> None:
    compose = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    assert "--allow-plaintext" not in json.dumps(compose)
    (script,) = compose["services"]["secrets"]["command"]
    for folder in ("/etc/raysim", "/var/lib/raysim-authority"):
        (tmp_path / folder.lstrip("/")).mkdir(parents=True)
        script = script.replace(folder, f"{tmp_path}{folder}")
    raysim = f'raysim() {{ "{sys.executable}" -m raysim "$@"; }}\n'
    made = []
    for _ in range(2):
        subprocess.run(["sh", "-ec", raysim + script.replace("$$", "$")], check=True)
        made.append((tmp_path / "etc/raysim/auth_token").read_text())
    assert made[0] == made[1] != "", "The token stays."
    names = {
        name: f"{tmp_path}{value}" if value.startswith("/") else value
        for name, value in compose["services"]["head"]["environment"].items()
    }
    files = find_tls(names)
    assert files is not None
    assert ("DNS", "head") in shown(files, "172.30.0.5")["subjectAltName"]
    there = list((tmp_path / "etc/raysim").iterdir())
    assert {file.name for file in there} == {"auth_token", "cert.pem", "key.pem", "ca.pem"}
    assert {file.stat().st_mode & 0o077 for file in there} == {0}
    for name in ("head", "node"):
        service = compose["services"][name]
        assert service["volumes"] == ["secrets:/etc/raysim:ro"], "No node sees the authority's key."


def test_the_head_of_the_chart_has_a_dashboard_that_others_reach() -> None:
    for values in ({"allowPlaintext": True}, {"tls": {"secretName": "t"}}):
        manifests = rendered(**values)
        head = of_kind(manifests, "Deployment")["mine-raysim-head"]
        (container,) = head["spec"]["template"]["spec"]["containers"]
        assert container["args"][container["args"].index("--dashboard-host") + 1] == "0.0.0.0"
        assert "--dashboard-client-certs" not in container["args"]
        (service,) = of_kind(manifests, "Service").values()
        (port,) = (one for one in service["spec"]["ports"] if one["name"] == "dashboard")
        assert port["appProtocol"] == ("https" if "tls" in values else "http")
    strict = rendered(tls={"secretName": "t", "dashboardClientCerts": True})
    head = of_kind(strict, "Deployment")["mine-raysim-head"]
    assert "--dashboard-client-certs" in json.dumps(head)
