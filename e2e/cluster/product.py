"""The operator under test, and what it keeps, seen through kubectl."""

import http.client
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable

from e2e.servers import Cluster, ServersError, wait_until

_REPOSITORY = Path(__file__).parents[2]
IMAGE = _REPOSITORY / "build" / "image" / "searchsync.tar"
NAMESPACE = "default"
_OPERATORS = "searchsync-system"
_ANSWER_SECONDS = 180
_ENDED_ERRORS = (OSError, KeyError, IndexError, ServersError, http.client.HTTPException)


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    finally:
        connection.close()


class ClusterProduct:
    """What e2e.harness.SearchSync is for a folder: the same questions to a cluster."""

    def __init__(self, cluster: Cluster, namespace: str = NAMESPACE):
        self.cluster = cluster
        self.namespace = namespace

    def install(self, *values: str) -> None:
        """The chart, with its defaults but for `values`, as name=value."""
        self.cluster.load_image(IMAGE)
        sets = [argument for value in values for argument in ("--set", value)]
        self._helm("upgrade", "--install", "searchsync", str(_REPOSITORY / "charts/searchsync"),
                   f"--namespace={_OPERATORS}", "--create-namespace", "--wait", "--timeout=5m",
                   *sets)

    def _helm(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.cluster.program("helm"), *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, **self.cluster.environment()})
        if done.returncode != 0:
            raise ServersError(f"helm {arguments[0]}: {done.stdout}{done.stderr}")

    def leader(self) -> str:
        """The pod of the operator that leads, or ""."""
        lease = self.cluster.get("lease", "searchsync-operator", f"--namespace={_OPERATORS}")
        return lease["spec"].get("holderIdentity", "").rsplit("_", 1)[0]

    def kill_operator(self, pod: str) -> None:
        """At once. Nothing, if the pod is gone."""
        self.cluster.kubectl("delete", "pod", pod, f"--namespace={_OPERATORS}", "--force",
                             "--grace-period=0", "--ignore-not-found")

    def operator_log(self, pod: str) -> str:
        """Nothing, if the pod is gone."""
        try:
            return self.cluster.kubectl("logs", pod, f"--namespace={_OPERATORS}")
        except ServersError:
            if self.cluster.exists("pod", pod, f"--namespace={_OPERATORS}"):
                raise
            return ""

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Those that are not ending, by name."""
        pods = self.cluster.get("pods", f"--namespace={self.namespace}",
                                f"--selector={selector}")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def kill_pod(self, name: str) -> None:
        self.cluster.kubectl("delete", "pod", name, f"--namespace={self.namespace}", "--force",
                             "--grace-period=0")

    def address(self, role: str, index: str) -> str:
        """Of the Service of query or ingest processes, once they answer there."""
        service = self.cluster.get("service", f"{role}-{index}", f"--namespace={self.namespace}")
        address = f"{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}"
        self.wait(f"answer of {role} at {address}", lambda: _answers(address), _ANSWER_SECONDS)
        return address

    def apply(self, folder: Path) -> None:
        """The resources of a folder, and its secrets."""
        secrets = folder / "secrets"
        for secret in sorted(secrets.iterdir()) if secrets.is_dir() else ():
            self.apply_secret(secret.name, {entry.name: entry.read_text(encoding="utf-8")
                                            for entry in secret.iterdir()})
        self.cluster.kubectl("apply", f"--namespace={self.namespace}", f"--filename={folder}")

    def apply_secret(self, name: str, entries: dict[str, str]) -> None:
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret",
                            "metadata": {"name": name, "namespace": self.namespace},
                            "stringData": entries})

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.cluster.kubectl("patch", kind, name, f"--namespace={self.namespace}", "--type=merge",
                             f"--patch={json.dumps(patch)}")

    def index(self, name: str) -> dict[str, Any]:
        return self.cluster.get("searchindex", name, f"--namespace={self.namespace}")

    def status(self) -> dict[str, Any]:
        """As `searchsync run` gives it, as far as it is the same."""
        indices = self.cluster.get("searchindices", f"--namespace={self.namespace}")["items"]
        bindings = self.cluster.get("sourcebindings", f"--namespace={self.namespace}")["items"]
        return {"indices": [self._row(item) for item in indices],
                "bindings": [self._row(item) for item in bindings]}

    @staticmethod
    def _row(item: dict[str, Any]) -> dict[str, Any]:
        return {"name": item["metadata"]["name"], **item.get("status", {})}

    def condition(self, name: str, kind: str) -> str:
        for one in self.index(name).get("status", {}).get("conditions", []):
            if one["type"] == kind:
                return one["status"]
        return "none"

    def wait(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Errors: it did not come true in time; with how things stand."""
        def answered() -> bool:
            try:
                return condition()
            except _ENDED_ERRORS:
                return False
        wait_until(answered, seconds, lambda: f"no {what} after {seconds} s\n{self.describe()}")

    def describe(self) -> str:
        texts = []
        for arguments in (("get", "searchindices,sourcebindings", "-o", "wide"),
                          ("get", "pods,statefulsets,deployments", "-o", "wide"),
                          ("get", "events", "--sort-by=.lastTimestamp")):
            try:
                texts.append(self.cluster.kubectl(*arguments, f"--namespace={self.namespace}"))
            except ServersError as error:
                texts.append(str(error))
        return "\n".join([*texts, self._operator_words()])

    def _operator_words(self) -> str:
        try:
            return self.cluster.kubectl("logs", "deployment/searchsync-operator", "--tail=20",
                                        "--all-pods", f"--namespace={_OPERATORS}")
        except ServersError as error:
            return str(error)
