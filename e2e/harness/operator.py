"""The operator as a process on this machine, against an API server that may be all of a cluster."""

import os
import re
import signal
from pathlib import Path
from typing import Any

from e2e.servers import Cluster, Process, ServersError, wait_until

from .product import BINARY, text_of

_CRDS = Path(__file__).parents[2] / "crds"
_START_SECONDS = 120


def install_definitions(cluster: Cluster) -> None:
    """The two kinds; returns when they are served."""
    cluster.kubectl("apply", "--server-side", f"--filename={_CRDS}")
    cluster.kubectl("wait", "crd/searchindices.searchsync.io", "crd/sourcebindings.searchsync.io",
                    "--for=condition=Established", "--timeout=120s")


class Operator:
    """One `searchsync operator`. A context manager: it runs inside, and nothing of it runs after.

    kubeconfig: instead of the cluster's own, for another user.
    arguments: of the command, besides how to reach the cluster and where to listen.
    """

    def __init__(self, cluster: Cluster, folder: Path, *arguments: str,
                 kubeconfig: Path | None = None, log_level: str = "info"):
        if not BINARY.exists():
            raise ServersError(f"{BINARY} is not there: run `make build`")
        folder.mkdir(parents=True, exist_ok=True)
        self.identity = folder.name
        self._address_file = folder / "address"
        self._process = Process(self.identity, [
            str(BINARY), "--log-level", log_level, "operator",
            "--kubeconfig", str(kubeconfig or cluster.kubeconfig), "--image", "searchsync:test",
            "--listen", "127.0.0.1:0",
            "--address-file", str(self._address_file), *arguments], folder / "operator.log")

    def __enter__(self) -> "Operator":
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self._process.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Returns when all that is declared is listed. Errors: it ended, or does not get ready."""
        self._address_file.unlink(missing_ok=True)
        self._process.start()
        self.wait("operator that is ready", lambda: self.get("/readyz")[0] == 200, _START_SECONDS)

    def end(self) -> None:
        """SIGTERM; does not wait."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def running(self) -> bool:
        return self._process.running()

    def rss_bytes(self) -> int:
        return self._process.rss_bytes()

    def cpu_seconds(self) -> float:
        return self._process.cpu_seconds()

    def log(self) -> str:
        return self._process.log.read_text(encoding="utf-8")

    def get(self, path: str) -> tuple[int, str]:
        """Status and text. Errors: OSError if there is no answer."""
        try:
            address = self._address_file.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise ConnectionError("the operator has not said where it listens") from error
        return text_of(address, path)

    def leads(self) -> bool:
        return self.metric("leader_election_master_status") == 1

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of all with that name whose labels contain `labels`. Errors: OSError."""
        _, text = self.get("/metrics")
        return sum(float(value) for found, value in re.findall(
            rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE) if labels in found)

    def wait(self, what: str, condition, seconds: float) -> None:
        """Until the condition holds; no answer counts as not yet. Errors: not in time, or the
        operator ended; with its last words."""
        def holds() -> bool:
            if not self._process.running():
                raise ServersError(f"{self._process.tail()}\nthe operator ended, waiting for {what}")
            try:
                return condition()
            except (OSError, KeyError, ServersError):
                return False
        wait_until(holds, seconds,
                   lambda: f"{self._process.tail()}\nno {what} after {seconds} s")


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def search_index(namespace_: str, name: str, **spec: Any) -> dict[str, Any]:
    """One whose engine and Kafka are nowhere, unless `spec` says where."""
    return {"apiVersion": "searchsync.io/v1alpha1", "kind": "SearchIndex",
            "metadata": {"name": name, "namespace": namespace_},
            "spec": {"elasticsearch": {"urls": ["http://127.0.0.1:9"]},
                     "kafka": {"bootstrapServers": ["127.0.0.1:9"]}, "mappings": {}, **spec}}


def root_binding(namespace_: str, index: str, topic: str = "letters") -> dict[str, Any]:
    return {"apiVersion": "searchsync.io/v1alpha1", "kind": "SourceBinding",
            "metadata": {"name": f"{index}-root", "namespace": namespace_},
            "spec": {"indexRef": {"name": index}, "source": {"kafka": {"topic": topic}},
                     "key": ["id"], "relation": {"root": {}},
                     "fields": [{"from": "id", "to": "id"}]}}


def status(cluster: Cluster, namespace_: str, name: str) -> dict[str, Any]:
    """Of a SearchIndex; empty if nobody has written any."""
    return cluster.get("searchindex", name, f"--namespace={namespace_}").get("status", {})


def account_kubeconfig(cluster: Cluster, account: str, namespace_: str, path: Path) -> Path:
    """Writes a kubeconfig of a service account: its rights and no others."""
    token = cluster.kubectl("create", "token", account, f"--namespace={namespace_}").strip()
    admin = cluster.kubeconfig.read_text(encoding="ascii")
    path.touch(0o600)
    path.write_text(re.sub(r"token: \S+", f"token: {token}", admin), encoding="ascii")
    return path
