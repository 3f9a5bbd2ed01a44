"""What is asked of Kubernetes, which a small server stands in for; `make manifests` holds pods to its schema."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from raysim.spec.autoscaling import NodeType
from raysim.spec.growth import KubernetesPods
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.resources import fixed
from raysim_cluster.growth.kubernetes import Pods, pod
from raysim_cluster.growth.machines import MachineError

NODE = NodeId(bytes(range(UNIQUE_ID_BYTES)))
WIDE = NodeType("wide", fixed({"CPU": 2, "GPU": 1, "memory": 2**31, "disk": 1}), {"zone": "a"})
SETTINGS = KubernetesPods(
    cluster="mine", namespace="here", image="raysim:1", head="mine-head:6379", token_secret="mine-token"
)  # fmt: skip


class Server(ThreadingHTTPServer):
    """Pods by name, and what was asked; `refusal` is answered to everything while it is there."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pods: dict[str, dict[str, Any]] = {}
        self.tokens: list[str | None] = []
        self.refusal: tuple[int, str] | None = None


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = "labelSelector=raysim.io%2Fcluster%3Dmine%2Craysim.io%2Fnode-id"
        assert self.path == f"/api/v1/namespaces/here/pods?{wanted}"
        self._answer(200, {"items": list(self.server.pods.values())})

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.pods[made["metadata"]["name"]] = {**made, "status": {"phase": "Pending"}}
        self._answer(201, made)

    def do_DELETE(self) -> None:
        name = self.path.rpartition("/")[2]
        found = self.server.pods.pop(name, None)
        if found is None:
            self._answer(404, {"message": f'pods "{name}" not found'})
        else:
            self._answer(200, found)

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        self.server.tokens.append(self.headers["Authorization"])
        if self.server.refusal is not None:
            code, why = self.server.refusal
            body = {"message": why}
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nowhere."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pods(server: Server, tmp_path: Path) -> Pods:
    (tmp_path / "token").write_text("first\n")
    address = f"http://127.0.0.1:{server.server_port}"
    return Pods(SETTINGS, "10.0.0.1:6379", server=address, account=tmp_path)


def test_a_pod_lives_from_its_start_to_its_end(pods: Pods, server: Server) -> None:
    pods.start(NODE, WIDE)
    assert pods.living() == {NODE: "wide"}
    pods.end(NODE)
    assert pods.living() == {}
    pods.end(NODE)
    assert set(server.tokens) == {"Bearer first"}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_does_not_live(pods: Pods, server: Server, phase: str) -> None:
    pods.start(NODE, WIDE)
    (one,) = server.pods.values()
    one["status"]["phase"] = phase
    assert pods.living() == {}


def test_a_renewed_token_is_used(pods: Pods, server: Server, tmp_path: Path) -> None:
    pods.living()
    (tmp_path / "token").write_text("second\n")
    pods.living()
    assert server.tokens == ["Bearer first", "Bearer second"]


def test_a_refusal_says_why(pods: Pods, server: Server) -> None:
    server.refusal = (403, "pods is forbidden: exceeded quota: cpu")
    with pytest.raises(MachineError, match=r"^Kubernetes says 403: .* exceeded quota: cpu$"):
        pods.start(NODE, WIDE)
    server.refusal = (404, "there is no such namespace")
    with pytest.raises(MachineError, match="404"):
        pods.living()


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    away = Pods(SETTINGS, "", server="http://127.0.0.1:1", account=tmp_path)
    with pytest.raises(MachineError, match="does not answer"):
        away.living()


def test_a_pod_joins_the_head_as_its_node() -> None:
    made = pod(SETTINGS, "mine-head:6379", NODE, WIDE)
    (container,) = made["spec"]["containers"]
    assert made["metadata"]["name"] == f"mine-{NODE.hex()[:16]}"
    assert made["metadata"]["labels"]["raysim.io/node-id"] == NODE.hex()
    assert container["command"] == ["raysim"]
    arguments = container["args"]
    assert arguments[arguments.index("--address") + 1] == "mine-head:6379"
    assert arguments[arguments.index("--node-id") + 1] == NODE.hex()
    assert arguments[arguments.index("--node-ip-address") + 1] == "$(POD_IP)"
    assert json.loads(arguments[arguments.index("--resources") + 1]) == {"disk": 1}
    labels = json.loads(arguments[arguments.index("--labels") + 1])
    assert labels == {"zone": "a", "ray.io/node-group": "wide"}
    assert "--allow-plaintext" not in arguments
    quantities = {"cpu": "2", "memory": "2147483648", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": quantities, "limits": quantities}
    secret = {"name": "mine-token", "key": "auth_token"}
    assert {"name": "RAYSIM_AUTH_TOKEN", "valueFrom": {"secretKeyRef": secret}} in container["env"]


def test_a_template_keeps_what_it_says_beside_ours() -> None:
    template = {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {
            "nodeSelector": {"disk": "fast"},
            "containers": [
                {"name": "beside", "image": "other"},
                {"name": "raysim-node", "image": "own", "resources": {"limits": {"cpu": "3"}}},
            ],
        },
    }
    settings = KubernetesPods(
        cluster="mine", namespace="here", image="raysim:1", head="h:1", token_secret="",
        templates={"wide": template},
    )  # fmt: skip
    made = pod(settings, "h:1", NODE, WIDE)
    beside, ours = made["spec"]["containers"]
    assert beside == {"name": "beside", "image": "other"}
    assert ours["image"] == "own"
    assert ours["resources"]["limits"]["cpu"] == "3"
    assert made["spec"]["nodeSelector"] == {"disk": "fast"}
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert "metadata" in template
    assert "labels" not in template["metadata"]
