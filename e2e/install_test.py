"""Installing the operator on a real Kubernetes, by helm and by kustomize, and what it may do then:
exactly what it does. As root and after `make image`.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from e2e.chart.render import CHART, MANIFESTS, NAMESPACE, RELEASE, sets
from e2e.harness import render
from e2e.install import audit
from e2e.servers import Cluster, ServersError, Stack, wait_until

_IMAGE = Path(__file__).parents[1] / "build" / "image" / "searchsync.tar"
_LETTERS = Path(__file__).parent / "install"
_OPERATOR = "searchsync-operator"
_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{_OPERATOR}"
_KINDS = ("searchindices", "sourcebindings")
_SECONDS = 600
_INDEX: dict[str, Any] = {
    "apiVersion": "searchsync.io/v1alpha1", "kind": "SearchIndex", "metadata": {"name": "kept"},
    "spec": {"elasticsearch": {"urls": ["http://nowhere.invalid:9200"]},
             "kafka": {"bootstrapServers": ["nowhere.invalid:9092"]}, "mappings": {}}}


def _database(stack: Stack) -> list[dict[str, Any]]:
    """All tables of the database of letters, each in an index of its own."""
    return [
        {"apiVersion": "searchsync.io/v1alpha1", "kind": "SearchIndex",
         "metadata": {"name": "all", "namespace": "letters"},
         "spec": {"elasticsearch": {"urls": [stack.search.url]},
                  "kafka": {"bootstrapServers": [stack.kafka.address]}, "replicas": 0,
                  "reindex": {"cutover": {"stableFor": "1s"}}, "workers": {"partitions": 1},
                  "deletionPolicy": "Delete", "tables": {}}},
        {"apiVersion": "searchsync.io/v1alpha1", "kind": "SourceBinding",
         "metadata": {"name": "all-db", "namespace": "letters"},
         "spec": {"indexRef": {"name": "all"}, "source": {"postgres": {
             "secretRef": {"name": "letters-db"}, "tables": {"include": ["public.*"]}}}}}]


def _restricted(name: str) -> dict[str, Any]:
    """A namespace in which no pod of too many rights is let in."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
        "pod-security.kubernetes.io/enforce": "restricted"}}}


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class InstallTest(unittest.TestCase):
    """One cluster for all. Each test installs the operator and takes it away again."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        audit.policy(cls.folder / "policy.json", _ACCOUNT)
        cls.audit = audit.Audit(cls.folder / "audit.log")
        cls.cluster = cls.enterClassContext(Cluster(api_flags={
            "audit-policy-file": str(cls.folder / "policy.json"),
            "audit-log-path": str(cls.folder / "audit.log"),
            # As OpenShift has it: who says that it owns something must be allowed to delete it.
            "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement"}))
        cls.cluster.load_image(_IMAGE)

    def setUp(self):
        self.audit.forget()

    def tearDown(self):
        # Whatever a failed test has left.
        self._helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found",
                   "--wait", "--timeout=5m")
        for kind in _KINDS:
            if self.cluster.exists("crd", f"{kind}.searchsync.io"):
                self.cluster.kubectl("delete", kind, "--all", "--all-namespaces", "--wait=false")
                for name in re.findall(r"\S+/\S+", self.cluster.kubectl(
                        "get", kind, "--all-namespaces", "--output=jsonpath={range .items[*]}"
                        "{.metadata.namespace}/{.metadata.name} {end}")):
                    namespace, name = name.split("/")
                    self.cluster.kubectl("patch", kind, name, f"--namespace={namespace}",
                                         "--type=merge", '--patch={"metadata":{"finalizers":null}}')
                self.cluster.kubectl("delete", "crd", f"{kind}.searchsync.io", "--timeout=180s")
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found",
                             "--timeout=180s")

    def _helm(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.cluster.program("helm"), *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, **self.cluster.environment(), "HOME": str(self.folder)})
        if done.returncode != 0:
            raise ServersError(f"helm {arguments[0]}: {done.stdout}{done.stderr}\n"
                               f"{self._describe()}")
        return done.stdout

    def _install(self, *values: str) -> str:
        if not self.cluster.exists("namespace", NAMESPACE):
            self.cluster.apply(_restricted(NAMESPACE))
        return self._helm("upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}",
                          "--wait", "--timeout=5m", *sets(*values))

    def _describe(self) -> str:
        try:
            return "\n".join(self.cluster.kubectl(*what, f"--namespace={NAMESPACE}") for what in (
                ("get", "pods"), ("get", "events"),
                ("logs", f"deployment/{_OPERATOR}", "--tail=20", "--all-pods")))
        except ServersError as error:
            return str(error)

    def _pods(self) -> dict[str, dict[str, Any]]:
        """Of the operator, those that are not ending."""
        pods = self.cluster.get("pods", f"--namespace={NAMESPACE}", "--selector="
                                "app.kubernetes.io/component=operator")["items"]
        return {pod["metadata"]["name"]: pod for pod in pods
                if "deletionTimestamp" not in pod["metadata"]}

    def _leader(self) -> str:
        """The name of the pod that leads, or ""."""
        if not self.cluster.exists("lease", _OPERATOR, f"--namespace={NAMESPACE}"):
            return ""
        lease = self.cluster.get("lease", _OPERATOR, f"--namespace={NAMESPACE}")
        return lease["spec"].get("holderIdentity", "").rsplit("_", 1)[0]

    def _wait_for_leader(self, *but: str) -> str:
        wait_until(lambda: self._leader() in self._pods().keys() - set(but), _SECONDS,
                   lambda: f"nobody leads\n{self._describe()}")
        return self._leader()

    def _may(self, verb: str, resource: str, namespace: str, user: str = _ACCOUNT) -> bool:
        """resource: with a name, "leases/x"; or a subresource, "pods --subresource=exec"."""
        try:
            self.cluster.kubectl("auth", "can-i", verb, *resource.split(" "),
                                 f"--namespace={namespace}", f"--as={user}", "--quiet")
        except ServersError:
            return False
        return True

    def _metrics(self, pod: str) -> str:
        return self.cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}"
                                    ":9090/proxy/metrics")

    def _status(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        return self.cluster.get(kind, name, f"--namespace={namespace}").get("status", {})

    def _wait_for(self, what: str, condition, seconds: float = _SECONDS) -> None:
        wait_until(condition, seconds, lambda: f"no {what}\n{self._describe()}")

    def test_helm_with_default_values(self):
        notes = self._install()
        self.assertIn("works in all namespaces", notes)
        self.assertIn(f"rollout status deployment/{_OPERATOR}", notes)
        pods = self._pods()
        self.assertEqual(2, len(pods))
        self._wait_for_leader()
        # It leads when any former leader has certainly stopped.
        self._wait_for("metric of the leader", lambda: [self._leader()] == [
            name for name in pods
            if f'leader_election_master_status{{name="{_OPERATOR}"}} 1' in self._metrics(name)])
        leader = self._leader()

        with self.subTest("what runs is locked up"):
            container = pods[leader]["spec"]["containers"][0]
            self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
            self._wait_for("budget of one pod", lambda: self._status(
                "poddisruptionbudget", _OPERATOR, NAMESPACE).get("disruptionsAllowed") == 1)

        with self.subTest("what it may do"):
            for verb, resource, namespace, may in (
                    ("get", "secrets", "default", True), ("list", "secrets", "default", False),
                    ("watch", "secrets", "default", False), ("create", "pods", "default", False),
                    ("list", "pods", "default", True), ("patch", "searchindices", "default", True),
                    ("delete", "searchindices", "default", True),
                    ("create", "sourcebindings", "default", True),
                    ("deletecollection", "searchindices", "default", False),
                    ("update", "searchindices", "default", False),
                    ("create", "roles", "default", False),
                    ("create", "pods --subresource=exec", "default", False),
                    ("update", f"leases/{_OPERATOR}", NAMESPACE, True),
                    ("update", "leases/other", NAMESPACE, False),
                    ("get", f"leases/{_OPERATOR}", "default", False)):
                self.assertEqual(may, self._may(verb, resource, namespace), f"{verb} {resource}")

        with self.subTest("people's rights come with the cluster's roles"):
            self.cluster.kubectl("create", "rolebinding", "reader", "--clusterrole=view",
                                 "--user=reader", "--namespace=default")
            self.cluster.kubectl("create", "rolebinding", "writer", "--clusterrole=edit",
                                 "--user=writer", "--namespace=default")
            self._wait_for("right to write",
                           lambda: self._may("create", "searchindices", "default", "writer"))
            self._wait_for("right to read",
                           lambda: self._may("list", "sourcebindings", "default", "reader"))
            self.assertFalse(self._may("create", "searchindices", "default", "reader"))
            self.assertTrue(self._may("patch", "searchindices --subresource=scale", "default",
                                      "writer"))
            self.assertFalse(self._may("patch", "searchindices --subresource=status", "default",
                                       "writer"))

        with self.subTest("when the leader ends another leads"):
            self.cluster.kubectl("delete", "pod", leader, f"--namespace={NAMESPACE}",
                                 "--wait=false")
            self._wait_for_leader(leader)

        with self.subTest("another value replaces the pods"):
            self._install("logLevel=debug", "pods.nodeSelector.disk=ssd")
            self._wait_for("end of the old pods", lambda: len(self._pods()) == 2)
            self.assertFalse(pods.keys() & self._pods().keys())
            self.assertIn('--pod-spec={"nodeSelector":{"disk":"ssd"}}', next(iter(
                self._pods().values()))["spec"]["containers"][0]["args"])
            self._wait_for_leader()

        # Who ends after its rights have gone cannot give the Lease back.
        self.assertEqual([], self.audit.refused())
        with self.subTest("resources outlive the release, and the next one takes them over"):
            self.cluster.apply({**_INDEX, "metadata": {"name": "kept", "namespace": "default"}})
            self._helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
            self.assertTrue(self.cluster.exists("searchindex", "kept", "--namespace=default"))
            self.assertFalse(self.cluster.exists("clusterrole", _OPERATOR))
            self._install()
            self._wait_for_leader()

    def test_it_may_do_exactly_what_it_does(self):
        """A life of an index, in which the operator does all that it ever does."""
        self._install()
        stack = self.enterContext(Stack(host=self.cluster.node_address))
        self.cluster.apply(_restricted("letters"))
        self.addCleanup(self.cluster.kubectl, "delete", "namespace", "letters", "--timeout=180s")
        postgres = stack.postgres
        postgres.create_database("letters")
        postgres.execute("CREATE TABLE letters (id int PRIMARY KEY, text text);"
                         "INSERT INTO letters VALUES (1, 'first')", database="letters")
        self.cluster.apply({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "letters-db", "namespace": "letters"},
            "stringData": {"host": postgres.host, "port": str(postgres.port), "dbname": "letters",
                           "username": "postgres", "password": postgres.password()}})
        resources = self.folder / "resources"
        render(_LETTERS, resources, {"${SEARCH}": stack.search.url,
                                     "${KAFKA}": stack.kafka.address})
        self.cluster.kubectl("apply", "--namespace=letters", f"--filename={resources}")
        self._wait_for("letters", lambda: self._served(""))

        # The same fault twice is one event that is counted.
        fault = {"apiVersion": "searchsync.io/v1alpha1", "kind": "SourceBinding",
                 "metadata": {"name": "stray", "namespace": "letters"},
                 "spec": {"indexRef": {"name": "letters"}, "key": ["id"],
                          "source": {"kafka": {"topic": "strays"}},
                          "relation": {"lookup": {"of": "nowhere", "from": ["id"]}},
                          "fields": [{"from": "text", "to": "text"}]}}
        for _ in range(2):
            self.cluster.apply(fault)
            self._wait_for("stall", lambda: self._status(
                "searchindex", "letters", "letters").get("phase") == "Stalled")
            self.cluster.kubectl("delete", "sourcebinding", "stray", "--namespace=letters")
            self._wait_for("letters again", lambda: self._served(""))

        # A volume for the state: the StatefulSet is made anew. Then another generation.
        first = self._status("searchindex", "letters", "letters")["serving"]
        self._patch({"spec": {"workers": {"storage": {"size": "1Gi"}, "bulk": {"delay": "6ms"}}}})
        self._wait_for("volume", lambda: self.cluster.exists("pvc", "--namespace=letters"))
        self._patch({"spec": {"reindex": {"revision": 1, "keepWarm": "0s"}}})
        self._wait_for("another generation", lambda: self._served(first))

        self._whole_database(stack)
        self._wait_for("end of the former worker", lambda: len(self.cluster.get(
            "pods", "--namespace=letters",
            "--selector=searchsync.io/index=letters,searchsync.io/role=worker")["items"]) == 1)

        self._commands_of_the_docs()
        self.cluster.kubectl("delete", "searchindices,sourcebindings", "--all",
                             "--namespace=letters", "--timeout=180s")
        self.assertEqual((200, []), stack.search.request(
            "GET", "/_cat/indices/letters*?format=json"))
        wait_until(lambda: not self.cluster.get("pods", "--namespace=letters")["items"], _SECONDS,
                   lambda: self.cluster.kubectl("get", "all", "--namespace=letters"))
        # The capture's ConfigMap is the last to go, when its slot is dropped.
        wait_until(lambda: not self._made("letters"), _SECONDS, lambda: self._made("letters"))
        self.assertEqual([], stack.postgres.execute("SELECT slot_name FROM pg_replication_slots"))

        self.assertEqual([], self.audit.refused())
        cluster_role = self.cluster.get("clusterrole", _OPERATOR)
        role = self.cluster.get("role", f"{_OPERATOR}-leader-election", f"--namespace={NAMESPACE}")
        self.assertEqual(sorted(audit.granted(cluster_role, role)), sorted(self.audit.used()))

    def _whole_database(self, stack: Stack) -> None:
        """All tables of it, of which one is made, edited by a person and dropped."""
        postgres = stack.postgres
        self.cluster.apply(*_database(stack))
        postgres.execute("CREATE TABLE stamps (id int PRIMARY KEY)", database="letters")

        def tables() -> dict[str, int]:
            return self._status("searchindex", "all", "letters").get("tables", {})
        self._wait_for("two tables", lambda: tables() == {"kept": 2, "ready": 2, "refused": 0})
        self.cluster.kubectl("patch", "searchindex", "all-stamps", "--namespace=letters",
                             "--type=merge", '--patch={"spec":{"suspend":true}}')
        self.cluster.kubectl("patch", "sourcebinding", "all-stamps", "--namespace=letters",
                             "--type=merge", '--patch={"spec":{"errors":{"policy":"Halt"}}}')
        self._wait_for("their own specs", lambda: not self.cluster.get(
            "searchindex", "all-stamps", "--namespace=letters")["spec"].get("suspend")
            and self.cluster.get("sourcebinding", "all-stamps", "--namespace=letters")[
                "spec"]["errors"]["policy"] == "DeadLetter")
        postgres.execute("DROP TABLE stamps", database="letters")
        self._wait_for("one table", lambda: tables().get("kept") == 1)
        self._wait_for("end of the other", lambda: not self.cluster.exists(
            "searchindex", "all-stamps", "--namespace=letters"))

    def _made(self, namespace: str) -> str:
        return self.cluster.kubectl(
            "get", "deployments,statefulsets,services,configmaps,serviceaccounts,networkpolicies,"
            "pdb", f"--namespace={namespace}", "--selector=app.kubernetes.io/managed-by=searchsync",
            "--output=name")

    def _commands_of_the_docs(self) -> None:
        """Those of docs/install.md and docs/operations.md, about an index that is served."""
        here = "--namespace=letters"
        for command, said in (
                (("explain", "searchindex.spec"), "deletionPolicy"),
                (("get", "searchsync", "--all-namespaces", "-o", "wide"), "sourcebinding"),
                (("get", "searchindex", "letters", "-o", "wide", here), "Serving"),
                (("wait", "searchindex/letters", "--for=condition=Ready", "--timeout=10m", here),
                 "condition met"),
                (("events", "--for", "searchindex/letters", here), "AliasMoved"),
                (("describe", "searchindex", "letters", here), "Conditions:"),
                (("get", "pods", "--selector", "searchsync.io/index=letters", here), "worker-"),
                (("get", "pods", "--selector", "searchsync.io/role=capture", here), "capture-"),
                (("logs", "--selector", "searchsync.io/index=letters,searchsync.io/role=worker",
                  "--tail=100", here), " worker "),
                (("logs", f"deployment/{_OPERATOR}", "--namespace", NAMESPACE, "--all-pods"),
                 " operator "),
                (("scale", "searchindex", "letters", "--replicas=2", here), "scaled")):
            with self.subTest(command):
                # A capture whose tables have just changed is without a pod for a moment.
                self._wait_for(said, lambda: said in self.cluster.kubectl(*command))
        self._wait_for("second worker", lambda: self._status("searchindex", "letters", "letters")[
            "workers"]["ready"] == 2)

    def _patch(self, patch: dict[str, Any]) -> None:
        self.cluster.kubectl("patch", "searchindex", "letters", "--namespace=letters",
                             "--type=merge", f"--patch={json.dumps(patch)}")

    def _served(self, but: str) -> bool:
        """Whether what is declared is served, from another index than `but`."""
        index = self.cluster.get("searchindex", "letters", "--namespace=letters")
        status = index.get("status", {})
        ready = any(one["type"] == "Ready" and one["status"] == "True"
                    for one in status.get("conditions", []))
        return (ready and status.get("observedGeneration") == index["metadata"]["generation"]
                and status.get("serving", "") != but)

    def test_kustomize(self):
        self.cluster.kubectl("apply", "--server-side", f"--kustomize={MANIFESTS / 'base'}")
        self.addCleanup(self.cluster.kubectl, "delete", "--ignore-not-found",
                        f"--kustomize={MANIFESTS / 'base'}", "--timeout=180s")
        self.cluster.kubectl("rollout", "status", f"deployment/{_OPERATOR}",
                             f"--namespace={NAMESPACE}", "--timeout=180s")
        self._wait_for_leader()
        self.assertEqual([], self.audit.refused())

    def test_two_namespaces(self):
        for name in ("team-a", "team-b", "team-c"):
            self.cluster.apply(_restricted(name))
            self.addCleanup(self.cluster.kubectl, "delete", "namespace", name, "--wait=false")
        notes = self._install("watch.namespaces={team-a,team-b}", "rbac.aggregate=false")
        self.assertIn("works in team-a, team-b", notes)
        self.assertFalse(self.cluster.exists("clusterrole,clusterrolebinding",
                                             "--selector=app.kubernetes.io/part-of=searchsync"))
        for name in ("team-a", "team-b", "team-c"):
            self.cluster.apply({**_INDEX, "metadata": {"name": "here", "namespace": name}})
        for name in ("team-a", "team-b"):
            self._wait_for(f"status in {name}",
                           lambda namespace=name: self._status("searchindex", "here", namespace))
        self.assertEqual({}, self._status("searchindex", "here", "team-c"))
        self.assertFalse(self._may("get", "secrets", "team-c"))
        self.assertTrue(self._may("get", "secrets", "team-b"))
        self.assertEqual([], self.audit.refused())


if __name__ == "__main__":
    unittest.main()
