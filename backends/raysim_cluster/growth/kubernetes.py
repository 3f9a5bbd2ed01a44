"""Nodes that are pods of the head's Kubernetes cluster. Never other objects than pods.

Kubernetes API: v1 Pod, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/.
"""

import copy
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from raysim.spec.autoscaling import NodeType
from raysim.spec.growth import KubernetesPods
from raysim.spec.ids import NodeId
from raysim.spec.resources import CPU, GPU, MEMORY, floats
from raysim_cluster.growth.local import start_arguments
from raysim_cluster.growth.machines import MachineError

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account."""

SERVER: Final = "https://kubernetes.default.svc"

CLUSTER: Final = "raysim.io/cluster"
NODE_TYPE: Final = "raysim.io/node-type"
NODE_ID: Final = "raysim.io/node-id"
CONTAINER: Final = "raysim-node"

_PATIENCE_S: Final = 30.0
_OVER: Final = ("Succeeded", "Failed")


class Pods:
    """`account`: the folder with the token and the certificate of the API's authority."""

    def __init__(
        self,
        settings: KubernetesPods,
        head: str,
        *,
        server: str = SERVER,
        account: Path = ACCOUNT,
    ) -> None:
        self._settings = settings
        self._head = settings.head or head
        self._account = account
        self._pods = f"{server}/api/v1/namespaces/{quote(settings.namespace)}/pods"

    def start(self, node_id: NodeId, kind: NodeType) -> None:
        self._call("POST", self._pods, pod(self._settings, self._head, node_id, kind))

    def end(self, node_id: NodeId) -> None:
        self._call("DELETE", f"{self._pods}/{pod_name(self._settings.cluster, node_id)}")

    def living(self) -> dict[NodeId, str]:
        wanted = urlencode({"labelSelector": f"{CLUSTER}={self._settings.cluster},{NODE_ID}"})
        found: dict[NodeId, str] = {}
        for one in self._call("GET", f"{self._pods}?{wanted}").get("items", ()):
            if one.get("status", {}).get("phase") in _OVER:
                continue
            labels = one["metadata"]["labels"]
            found[NodeId(bytes.fromhex(labels[NODE_ID]))] = labels.get(NODE_TYPE, "")
        return found

    def close(self) -> None:
        """Pods end with the head's, which owns them where the chart is used; others by themselves without a head."""

    def _call(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            request = urllib.request.Request(  # noqa: S310  (the server's address is our own constant)
                url,
                None if body is None else json.dumps(body).encode(),
                {
                    # Read each time: Kubernetes renews it.
                    "Authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
                    "Content-Type": "application/json",
                },
                method=method,
            )
            trusted = None
            if url.startswith("https:"):
                trusted = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
            with urllib.request.urlopen(request, timeout=_PATIENCE_S, context=trusted) as answer:  # noqa: S310  (as above)
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                if method == "DELETE" and error.code == 404:
                    return {}
                raise MachineError(f"Kubernetes says {error.code}: {_message(error)}") from error
        except (OSError, ValueError) as error:
            raise MachineError(f"Kubernetes does not answer: {error}") from error


def pod_name(cluster: str, node_id: NodeId) -> str:
    return f"{cluster}-{node_id.hex()[:16]}"


def pod(settings: KubernetesPods, head: str, node_id: NodeId, kind: NodeType) -> dict[str, Any]:
    """The manifest of a node's pod: the type's template, in which our container is told what to be."""
    made = copy.deepcopy(settings.templates.get(kind.name, {}))
    made |= {"apiVersion": "v1", "kind": "Pod"}
    metadata = made.setdefault("metadata", {})
    metadata |= {"name": pod_name(settings.cluster, node_id), "namespace": settings.namespace}
    metadata["labels"] = {
        **metadata.get("labels", {}),
        "app.kubernetes.io/name": "raysim",
        CLUSTER: settings.cluster,
        NODE_TYPE: kind.name,
        NODE_ID: node_id.hex(),
    }
    spec = made.setdefault("spec", {})
    spec["restartPolicy"] = "Never"  # Its node's id is used once.
    spec.setdefault("automountServiceAccountToken", False)
    containers = spec.setdefault("containers", [])
    ours = next((one for one in containers if one.get("name") == CONTAINER), None)
    if ours is None:
        ours = {"name": CONTAINER}
        containers.insert(0, ours)
    ours.setdefault("image", settings.image)
    ours.setdefault("command", ["raysim"])
    listen = ["--node-ip-address", "$(POD_IP)"]
    if settings.plaintext:
        listen.append("--allow-plaintext")
    ours["args"] = [*start_arguments(head, node_id, kind), *listen]
    ours["env"] = [*ours.get("env", ()), *_environment(settings)]
    resources = ours.setdefault("resources", {})
    for part in ("requests", "limits"):
        resources[part] = {**_quantities(kind), **resources.get(part, {})}
    return made


def _environment(settings: KubernetesPods) -> list[dict[str, Any]]:
    variables: list[dict[str, Any]] = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    ]
    if settings.token_secret:
        secret = {"name": settings.token_secret, "key": "auth_token"}
        variables.append({"name": "RAYSIM_AUTH_TOKEN", "valueFrom": {"secretKeyRef": secret}})
    return variables


def _quantities(kind: NodeType) -> dict[str, str]:
    names = {CPU: "cpu", MEMORY: "memory", GPU: "nvidia.com/gpu"}
    have = floats(kind.resources)
    return {ours: f"{have[name]:.15g}" for name, ours in names.items() if have.get(name)}


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200] or str(error.reason)
