"""The run: servers, what is declared, then one subject after the other."""

import argparse
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from e2e.chart.render import MANIFESTS, NAMESPACE
from e2e.harness.engine import Connection
from e2e.harness.operator import account_kubeconfig, install_definitions
from e2e.harness.product import BINARY
from e2e.servers import Cluster, Process, Stack, wait_until
from e2e.servers import cache

from ..tool import say, show
from . import report, requests
from .api import Api
from .declared import Declared, unrelated
from .measure import Bench, Result
from .subjects import PEER, Ours, Peer, Subject

_ACCOUNT = "searchsync-operator"
_PEER = "peer"
_UNRELATED_BYTES = 200_000
_STUB = BINARY.parent / "engine_stub"
_SETTLE_SECONDS = 15  # after the last write: longer than any index waits for its next look


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    return show(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> str:
    declared = Declared(options.indices, options.namespaces, options.topics, options.partitions)
    cache.get(PEER, say)
    with ExitStack() as stack:
        run = _Run(options, declared, stack)
        results = []
        for name in options.subjects.split(","):
            results.append(run.of(name))
        return report.table(declared, results)


class _Run:
    def __init__(self, options: argparse.Namespace, declared: Declared, stack: ExitStack):
        self._options = options
        self._declared = declared
        # One folder for all, which Stack makes and removes.
        self._servers = stack.enter_context(Stack(parts=("kafka",), kafka_heap="1g", jit=True))
        self._folder = self._servers.run_dir
        self._accounts = {name: f"system:serviceaccount:{NAMESPACE}:{name}"
                          for name in (_ACCOUNT, _PEER)}
        audit = self._folder / "audit.log"
        requests.policy(self._folder / "policy.json", *self._accounts.values())
        self._cluster = stack.enter_context(Cluster(api_only=True, api_flags={
            "audit-policy-file": str(self._folder / "policy.json"), "audit-log-path": str(audit)}))
        self._api = Api(self._cluster.kubeconfig)
        self._engine = stack.enter_context(_Engine(self._folder / "engine"))
        self._bench = Bench(self._api, declared, audit)
        self._declare()

    def _declare(self) -> None:
        say("declaring")
        install_definitions(self._cluster)
        self._cluster.kubectl("apply", "--server-side", f"--kustomize={MANIFESTS / 'base'}")
        self._cluster.apply(*_peers_account())
        for topic in self._declared.topics:
            self._servers.kafka.create_topic(topic)
        beside = list(self._declared.beside())
        self._api.create_all(beside[:len(self._declared.namespaces)])
        self._api.create_all(beside[len(self._declared.namespaces):])
        self._api.create_all(self._declared.resources(
            f"http://{self._engine.address}", self._servers.kafka.address))

    def _subject(self, name: str) -> Subject:
        if name == "peer":
            return Peer(self._folder / name, self._kubeconfig(_PEER), NAMESPACE)
        return Ours(self._cluster, self._folder / name, self._kubeconfig(_ACCOUNT), NAMESPACE)

    def of(self, name: str) -> Result:
        """Of a fresh process."""
        subject = self._subject(name)
        account = _PEER if name == "peer" else _ACCOUNT
        result = Result(subject.name)
        try:
            say(f"{subject.name}: until all is planned")
            self._bench.see_to_all(subject, result)
            say(f"{subject.name}: idle")
            time.sleep(_SETTLE_SECONDS)
            self._bench.idle(subject, self._accounts[account], self._options.idle_seconds, result,
                             self._engine.requests)
            say(f"{subject.name}: edits")
            self._bench.edit(subject, self._options.edits, result)
            say(f"{subject.name}: unrelated objects")
            place = f"unrelated-{name}"
            self._cluster.kubectl("create", "namespace", place)
            self._api.create_all(unrelated(place, self._options.unrelated, _UNRELATED_BYTES))
            time.sleep(_SETTLE_SECONDS)
            result.memory_after = subject.memory()
            if isinstance(subject, Ours):
                say(f"{subject.name}: after a restart")
                self._bench.see_to_all_again(subject, result)
            return result
        finally:
            subject.kill()

    def _kubeconfig(self, account: str) -> Path:
        return account_kubeconfig(self._cluster, account, NAMESPACE,
                                  self._folder / f"{account}.kubeconfig")


class _Engine:
    """bench/operator/engine_stub.cc"""

    def __init__(self, folder: Path):
        folder.mkdir()
        self._address = folder / "address"
        self._process = Process("engine", [str(_STUB), str(self._address)], folder / "stub.log")

    def __enter__(self) -> "_Engine":
        self._process.start()
        wait_until(lambda: self._address.exists() and bool(self.address), 10, self._process.tail)
        return self

    def __exit__(self, *error) -> None:
        self._process.kill()

    @property
    def address(self) -> str:
        return self._address.read_text(encoding="ascii").strip()

    def requests(self) -> int:
        """So far."""
        connection = Connection(self.address)
        try:
            return connection.request("GET", "/_stub")[1]["requests"]
        finally:
            connection.close()


def _peers_account() -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount",
         "metadata": {"name": _PEER, "namespace": NAMESPACE}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": _PEER},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                     "name": "cluster-admin"},
         "subjects": [{"kind": "ServiceAccount", "name": _PEER, "namespace": NAMESPACE}]}]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench operator", description=__doc__)

    def size(name: str, default: int, what: str) -> None:
        variable = f"BENCH_{name.upper()}"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"{what} [${variable}]",
                            default=int(os.environ.get(variable, default)))
    size("indices", 1000, "SearchIndexes, each with three SourceBindings")
    size("namespaces", 10, "that they are in")
    size("topics", 30, "that bindings read")
    size("partitions", 8, "of each document log")
    size("edits", 300, "that are timed")
    size("unrelated", 300, "Secrets, and as many ConfigMaps, of 200 KB")
    size("idle_seconds", 60, "that it is watched doing nothing")
    parser.add_argument("--subjects", default="peer,ours", help="which, in this order")
    return parser
