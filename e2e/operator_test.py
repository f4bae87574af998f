"""The operator against a real API server, with no node behind it: objects are made, no pod runs."""

import json
import tempfile
import time
import unittest
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Callable

from e2e.chart.render import MANIFESTS, NAMESPACE
from e2e.harness.operator import (Operator, account_kubeconfig, install_definitions, namespace,
                                  root_binding, search_index, status)
from e2e.servers import Cluster, Stack

_ACCOUNT = "searchsync-operator"
_SECONDS = 600


def _binding(name: str) -> dict[str, Any]:
    """Gives the operator its rights in a namespace."""
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": _ACCOUNT, "namespace": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": _ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": NAMESPACE}]}


def _seconds(wait: Callable[[], None]) -> float:
    """How long it takes."""
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


def _time(text: str) -> datetime:
    """Of a Lease."""
    return datetime.fromisoformat(text)


class NamespacesTest(unittest.TestCase):
    """With the rights of manifests/examples/labelled-namespaces."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)
        cls.cluster.kubectl("apply", "--server-side", "--force-conflicts",
                            f"--kustomize={MANIFESTS / 'examples' / 'labelled-namespaces'}")
        for name in ("team-a", "team-b", "team-c"):
            cls.cluster.apply(namespace(name), search_index(name, "index"))
            if name != "team-c":
                cls.cluster.apply(_binding(name))

    def _label(self, name: str, value: str) -> None:
        self.cluster.kubectl("label", "namespace", name, "--overwrite",
                             f"searchsync.io/watch{value}")

    def _edit(self, name: str) -> int:
        """The generation of what is declared then."""
        index = self.cluster.get("searchindex", "index", f"--namespace={name}")
        replicas = index["spec"].get("replicas", 1) + 1
        self.cluster.kubectl("patch", "searchindex", "index", f"--namespace={name}",
                             "--type=merge", f'--patch={{"spec":{{"replicas":{replicas}}}}}')
        return index["metadata"]["generation"] + 1

    def _observed(self, name: str) -> int:
        return status(self.cluster, name, "index").get("observedGeneration", 0)

    def _wait_observed(self, operator: Operator, name: str, generation: int) -> None:
        operator.wait(f"{name} as of generation {generation}",
                      lambda: self._observed(name) == generation, _SECONDS)

    def test_a_namespace_is_worked_in_as_long_as_it_has_the_label(self):
        self._label("team-a", "=true")
        self._label("team-c", "=true")  # without a right in it: it must not hold up others
        kubeconfig = account_kubeconfig(self.cluster, _ACCOUNT, NAMESPACE,
                                        self.folder / "kubeconfig")
        with Operator(self.cluster, self.folder / "labelled", kubeconfig=kubeconfig, *(
                "--namespace-selector=searchsync.io/watch=true", f"--lease-namespace={NAMESPACE}",
                "--lease-name=searchsync-operator")) as operator:
            self._wait_observed(operator, "team-a", 1)
            self.assertEqual([0, 0], [self._observed("team-b"), self._observed("team-c")])

            self._label("team-b", "=true")
            self._wait_observed(operator, "team-b", 1)

            self._label("team-a", "-")
            operator.wait("end of the watches", lambda: operator.metric(
                "searchsync_watch_objects", '"team-a"') == 0, _SECONDS)
            self._edit("team-a")
            self._wait_observed(operator, "team-b", self._edit("team-b"))
            self.assertEqual(1, self._observed("team-a"))

            self._label("team-a", "=true")
            self._wait_observed(operator, "team-a", 2)

            self.assertEqual(0, self._observed("team-c"))
            self.cluster.apply(_binding("team-c"))
            # Who was refused asks again after up to half a minute.
            operator.wait("team-c", lambda: self._observed("team-c") == 1, 2 * _SECONDS)

    def test_a_selector_and_names_exclude_each_other(self):
        with self.assertRaisesRegex(Exception, "excludes"):
            Operator(self.cluster, self.folder / "both", "--namespace=team-a",
                     "--namespace-selector=a=b").start()


class HandOverTest(unittest.TestCase):
    """Two operators, of which one leads, and a capture that must not notice."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)
        binding = root_binding("default", "index")
        binding["spec"]["source"] = {"postgres": {"secretRef": {"name": "db"},
                                                  "table": "public.letters"}}
        cls.cluster.apply(search_index("default", "index"), binding)

    def setUp(self):
        self.operators = [self.enterContext(Operator(
            self.cluster, self.folder / f"{self._testMethodName}-{number}",
            "--lease-name=operators")) for number in (1, 2)]
        self.operators[0].wait("leader", lambda: self._leader() is not None, _SECONDS)
        self.operators[0].wait("capture", self._capture, _SECONDS)

    def _leader(self) -> Operator | None:
        """Errors: two lead."""
        leaders = [one for one in self.operators if one.running() and one.leads()]
        self.assertLess(len(leaders), 2)
        return leaders[0] if leaders else None

    def _capture(self) -> dict[str, Any]:
        capture = self.cluster.get("deployment", "capture-db")
        return {key: capture["metadata"][key] for key in ("uid", "generation", "resourceVersion")}

    def _lease(self) -> dict[str, Any]:
        return self.cluster.get("lease", "operators")["spec"]

    def _replaced(self, end: Callable[[Operator], None]) -> timedelta:
        """How long before the former leader's lease would have run out the other one had it."""
        former = self._leader()
        other = next(one for one in self.operators if one is not former)
        capture = self._capture()
        lease = self._lease()
        holder = lease["holderIdentity"]

        def leads() -> bool:
            # Who ends goes on renewing it for as long as work is under way.
            nonlocal lease
            now = self._lease()
            if now.get("holderIdentity") == holder:
                lease = now
            return other.leads()

        def replaced() -> None:
            end(former)
            other.wait("another leader", leads, _SECONDS)
        print(f"{self._testMethodName}: {_seconds(replaced):.2f} s")
        replicas = self.cluster.get("searchindex", "index")["spec"].get("replicas", 1) + 1
        self.cluster.kubectl("patch", "searchindex", "index", "--type=merge",
                             f'--patch={{"spec":{{"replicas":{replicas}}}}}')
        generation = self.cluster.get("searchindex", "index")["metadata"]["generation"]
        other.wait("the new leader's work", lambda: status(
            self.cluster, "default", "index")["observedGeneration"] == generation, _SECONDS)
        self.assertEqual(capture, self._capture())
        ends = _time(lease["renewTime"]) + timedelta(seconds=lease["leaseDurationSeconds"])
        return ends - _time(self._lease()["acquireTime"])

    def test_a_leader_that_ends_gives_its_lease_back(self):
        self.assertGreater(self._replaced(Operator.end), timedelta(0))

    def test_a_leader_that_is_killed_is_replaced_when_its_lease_has_run_out(self):
        # It may have renewed it once more after we read it last.
        self.assertLess(self._replaced(Operator.kill), timedelta(seconds=1))

    def test_an_api_server_that_is_away_restarts_nothing(self):
        for end in (self.cluster.api.stop, self.cluster.api.kill):
            with self.subTest(end.__name__):
                pids, capture = [one.pid for one in self.operators], self._capture()
                end()
                # Longer than any lease lasts: whoever led knows that another may.
                self.operators[0].wait("nobody who leads", lambda: self._leader() is None, _SECONDS)
                self.cluster.api.start()
                self.cluster.api.wait_ready()
                took = _seconds(lambda: self.operators[0].wait(
                    "leader", lambda: self._leader() is not None, _SECONDS))
                print(f"{self._testMethodName}, {end.__name__}: led again after {took:.2f} s")
                self.assertEqual(pids, [one.pid for one in self.operators])
                self.assertTrue(all(one.running() for one in self.operators))
                for one in self.operators:
                    one.wait("answers", lambda one=one: one.get("/readyz")[0] == 200, _SECONDS)
                self.assertEqual(capture, self._capture())


class MadeTest(unittest.TestCase):
    """With an engine and Kafka, so that all that is made for an index is."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))
        cls.stack.kafka.create_topic("letters")
        install_definitions(cls.cluster)
        cls.operator = cls.enterClassContext(Operator(cls.cluster, cls.folder / "operator"))

    def _declare(self, namespace_: str, name: str, fields: tuple[str, ...] = ("id",),
                 **spec: Any) -> None:
        self.cluster.apply(search_index(
            namespace_, name, **{
                "elasticsearch": {"urls": [self.stack.search.url]},
                "kafka": {"bootstrapServers": [self.stack.kafka.address]}, "replicas": 0,
                "mappings": {"properties": {field: {"type": "keyword"} for field in fields}},
                "deletionPolicy": "Delete", **spec}), root_binding(namespace_, name))

    def _delete(self, namespace_: str, name: str) -> None:
        self.cluster.kubectl("delete", "searchindex", name, f"--namespace={namespace_}",
                             "--timeout=180s")
        self.cluster.kubectl("delete", "sourcebinding", f"{name}-root",
                             f"--namespace={namespace_}")

    def _indices(self, name: str) -> dict[str, str]:
        """Of the engine: for which SearchIndex each was built, by name."""
        _, found = self.stack.search.request("GET", f"/{name}-*/_mapping")
        return {index: one["mappings"]["_meta"]["searchsync"]["index"]
                for index, one in found.items()}

    def _serve(self, name: str, namespace_: str = "default") -> str:
        """Has readers read the index that is built, in place of its workers. Returns it."""
        self.operator.wait("index", lambda: self._indices(name), _SECONDS)
        index, = self._indices(name)
        self.stack.search.request("POST", "/_aliases", {"actions": [
            {"add": {"index": index, "alias": name}}]})
        self.operator.wait("status", lambda: status(
            self.cluster, namespace_, name).get("serving") == index, _SECONDS)
        return index

    def _stalled(self, namespace_: str, name: str) -> dict[str, Any]:
        """The condition."""
        return next((one for one in status(self.cluster, namespace_, name).get("conditions", [])
                     if one["type"] == "Stalled"), {"status": "", "reason": "", "message": ""})

    def test_what_others_delete_or_change_comes_back_at_once(self):
        self._declare("default", "kept")
        self._serve("kept")
        self.operator.wait("query", lambda: self.cluster.exists("deployment/query-kept"), _SECONDS)
        self.cluster.apply(*({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": f"foreign-{number}", "namespace": "default"}} for number in range(50)))
        worker = self.cluster.get("statefulsets", "--selector=searchsync.io/index=kept")[
            "items"][0]
        self.assertEqual("", worker["spec"].get("serviceName", ""))
        name = worker["metadata"]["name"]
        slowest = 0.0
        for kind, of, change, field in (
                ("configmap", name, {"data": {"config.json": "{}"}}, "data"),
                ("serviceaccount", name, {"automountServiceAccountToken": True},
                 "automountServiceAccountToken"),
                ("networkpolicy", name, {"spec": {"ingress": [{}]}}, "spec"),
                ("poddisruptionbudget", name, {"spec": {"maxUnavailable": 2}}, "spec"),
                ("service", "query-kept", {"spec": {"selector": {"searchsync.io/workload": "x"}}},
                 "spec"),
                ("deployment", "query-kept", {"spec": {"minReadySeconds": None, "template": {
                    "spec": {"enableServiceLinks": True}}}}, "spec"),
                ("statefulset", name, {"spec": {"template": {"spec": {
                    "terminationGracePeriodSeconds": 1}}}}, "spec")):
            before = self.cluster.get(kind, of)
            with self.subTest(kind, what="changed"):
                self.cluster.kubectl("patch", kind, of, "--type=merge",
                                     f"--patch={json.dumps(change)}")
                slowest = max(slowest, _seconds(lambda: self.operator.wait(
                    "it as it was", lambda: self.cluster.get(kind, of)[field] == before[field],
                    _SECONDS)))
            with self.subTest(kind, what="deleted"):
                self.cluster.kubectl("delete", kind, of)
                slowest = max(slowest, _seconds(lambda: self.operator.wait(
                    "another", lambda: self.cluster.get(kind, of)["metadata"]["uid"]
                    != before["metadata"]["uid"], _SECONDS)))
        print(f"{self._testMethodName}: at most {slowest:.2f} s")
        self.operator.wait("its own objects and no others in its memory", lambda: len(
            self.cluster.get("configmaps", "--all-namespaces",
                             "--selector=app.kubernetes.io/managed-by=searchsync")["items"])
            == self.operator.metric("searchsync_watch_objects", 'resource="configmaps"'), _SECONDS)
        writes = self._writes()
        self._declare("default", "another")  # which takes some rounds of its own
        self.operator.wait("index", lambda: self._indices("another"), _SECONDS)
        self.assertEqual(writes, self._writes(), "it goes on writing though nothing is amiss")

    def _writes(self) -> list[str]:
        """The versions of all that was made."""
        made = self.cluster.get(
            "configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,services,"
            "deployments,statefulsets", "--selector=searchsync.io/index=kept")["items"]
        return sorted(f"{one['kind']} {one['metadata']['resourceVersion']}" for one in made)

    def test_a_binding_says_what_it_waits_for(self):
        def binding(name: str) -> tuple[str, str]:
            found = self.cluster.get("sourcebinding", name).get("status", {})
            return found.get("state", ""), found.get("message", "")

        self.cluster.apply(root_binding("default", "lonely"))
        self.operator.wait("word of the index that is missing", lambda: binding("lonely-root") == (
            "Waiting", "there is no SearchIndex default/lonely: create it, or correct "
                       "spec.indexRef"), _SECONDS)
        wrong = root_binding("default", "lonely")
        wrong["metadata"]["name"] = "lonely-wrong"
        wrong["spec"]["relation"] = {"lookup": {"of": "nobody", "from": ["id"]}}
        self.cluster.apply(wrong, search_index("default", "lonely"))
        self.operator.wait("its fault", lambda: binding("lonely-wrong")[0] == "Invalid"
                           and "spec.relation.lookup.of" in binding("lonely-wrong")[1], _SECONDS)
        self.assertEqual(("Waiting", "SearchIndex lonely is Stalled: see its message"),
                         binding("lonely-root"))

        table = root_binding("default", "lonely")
        table["spec"]["source"] = {"postgres": {"secretRef": {"name": "not-there"},
                                                "table": "public.letters"}}
        self.cluster.kubectl("delete", "sourcebinding", "lonely-wrong")
        self._declare("default", "lonely")
        self.cluster.apply(table)
        missing = "does not exist yet: there is no secret default/not-there"
        self.operator.wait("word of the secret that is missing", lambda: missing in binding(
            "lonely-root")[1] and missing in status(self.cluster, "default", "lonely")["message"],
            _SECONDS)
        self._delete("default", "lonely")

    def test_one_name_is_one_searchindexs(self):
        self.cluster.apply(namespace("one"), namespace("two"))
        for case, (first, second, fields) in {
                "in two namespaces": (("one", "letters"), ("two", "letters"), ("id", "text")),
                "in one namespace": (("one", "letters"), ("one", "other"), ("id", "text")),
                "the same content": (("one", "letters"), ("two", "letters"), ("id",)),
        }.items():
            with self.subTest(case):
                self._declare(*first, indexName="letters")
                index = self._serve("letters", first[0])
                self._declare(*second, fields, indexName="letters", adoption="TakeAlias")
                self.operator.wait("stalled", lambda: self._stalled(*second)["reason"]
                                   == "IndexNameClaimed", _SECONDS)
                self.assertIn("/".join(first), self._stalled(*second)["message"])
                self.assertEqual({index: "/".join(first)}, self._indices("letters"))
                self.assertEqual("False", self._stalled(*first)["status"])

                self._delete(*first)
                self.operator.wait("the second's own", lambda: set(
                    self._indices("letters").values()) == {"/".join(second)}, _SECONDS)
                self.operator.wait("no stall", lambda: self._stalled(*second)["status"] == "False",
                                   _SECONDS)
                self._delete(*second)
                self.assertEqual({}, self._indices("letters"))

    def test_data_that_is_to_be_deleted_waits_for_its_engine(self):
        self._declare("default", "away", deletionPolicy="Retain")
        self._serve("away")
        self._patch("away", {"deletionPolicy": "Delete",
                             "elasticsearch": {"urls": ["http://127.0.0.1:9"]}})
        self.operator.wait("finalizer", lambda: self.cluster.get("searchindex", "away")[
            "metadata"]["finalizers"], _SECONDS)
        self.cluster.kubectl("delete", "searchindex", "away", "--wait=false")
        self.operator.wait("why it is still there", lambda: "cannot be deleted now" in status(
            self.cluster, "default", "away")["message"], _SECONDS)
        self.operator.wait("end of its workers", lambda: not self.cluster.exists(
            "statefulsets", "--selector=searchsync.io/index=away"), _SECONDS)
        self.assertEqual(["default/away"], list(self._indices("away").values()))

        self._patch("away", {"elasticsearch": {"urls": [self.stack.search.url]}})
        self.cluster.kubectl("wait", "--for=delete", "searchindex/away", "--timeout=180s")
        self.assertEqual({}, self._indices("away"))
        self.operator.wait("end of its topics", lambda: not [
            one for one in self.stack.kafka.topics() if ".away." in one], _SECONDS)
        self.cluster.kubectl("delete", "sourcebinding", "away-root")

    def _patch(self, name: str, spec: dict[str, Any]) -> None:
        self.cluster.kubectl("patch", "searchindex", name, "--type=merge",
                             f"--patch={json.dumps({'spec': spec})}")

    def test_events_have_a_topic_and_pods_that_take_them(self):
        index = search_index(
            "default", "clicks", elasticsearch={"urls": [self.stack.search.url]},
            kafka={"bootstrapServers": [self.stack.kafka.address]}, deletionPolicy="Delete",
            mappings={"properties": {"id": {"type": "keyword"}}},
            ingest={"replicas": 2, "tlsSecretRef": {"name": "clicks-tls"}})
        binding = root_binding("default", "clicks")
        binding["spec"]["source"] = {"http": {
            "paths": ["/clicks"], "columns": [{"name": "id", "required": True}],
            "tokensSecretRef": {"name": "senders"}, "topic": {"partitions": 3}}}
        self.cluster.apply(index, binding)
        self.operator.wait("ingest", lambda: self.cluster.exists("deployment/ingest-clicks"),
                           _SECONDS)
        topic = "searchsync.default.clicks-root.events"
        self.assertEqual(3, self.stack.kafka.topics()[topic])
        pod = self.cluster.get("deployment", "ingest-clicks")["spec"]
        self.assertEqual(2, pod["replicas"])
        self.assertEqual({"clicks-tls", "senders"}, {
            one["secret"]["secretName"] for one in pod["template"]["spec"]["volumes"]
            if "secret" in one})
        ports = self.cluster.get("service", "ingest-clicks")["spec"]["ports"]
        self.assertEqual([("https", 443, "events")],
                         [(one["name"], one["port"], one["targetPort"]) for one in ports])
        for kind in ("networkpolicy", "poddisruptionbudget", "serviceaccount"):
            self.assertTrue(self.cluster.exists(f"{kind}/ingest-clicks"))
        config = json.loads(self.cluster.get("configmap", "ingest-clicks")["data"]["config.json"])
        self.assertEqual(["/clicks"], config["bindings"][0]["source"]["paths"])

        def binding_status() -> dict[str, Any]:
            return self.cluster.get("sourcebinding", "clicks-root").get("status", {})
        self.operator.wait("the binding's state", lambda: (
            binding_status().get("message") == "no ingest process runs"), _SECONDS)

        self._delete("default", "clicks")
        self.operator.wait("end of ingest", lambda: (
            not self.cluster.exists("deployment/ingest-clicks")), _SECONDS)
        self.assertIn(topic, self.stack.kafka.topics(), "the only copy of what was sent")

    def test_counted_events_have_a_table_and_pods_that_write_it(self):
        self.stack.kafka.create_topic("visits", 3)
        index = search_index(
            "default", "counts", elasticsearch={"urls": [self.stack.search.url]},
            kafka={"bootstrapServers": [self.stack.kafka.address]}, deletionPolicy="Delete",
            mappings={"properties": {"id": {"type": "keyword"}}},
            aggregates={"replicas": 2, "storage": {"size": "2Gi"}})
        binding = root_binding("default", "counts")
        binding["spec"] |= {"source": {"kafka": {"topic": "visits", "format": "Json"}},
                            "aggregate": {"columns": [{"name": "visits"}]}}
        self.cluster.apply(index, binding)
        self.operator.wait("aggregates", lambda: self.cluster.exists(
            "statefulset/aggregate-counts"), _SECONDS)
        tables = {topic: partitions for topic, partitions in self.stack.kafka.topics().items()
                  if topic.startswith("searchsync.default.counts.table-counts-root-")}
        self.assertEqual([3], list(tables.values()))
        spec = self.cluster.get("statefulset", "aggregate-counts")["spec"]
        self.assertEqual(2, spec["replicas"])
        self.assertEqual("2Gi", spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]
                         ["storage"])
        pod = spec["template"]["spec"]
        self.assertEqual(["aggregate-counts", False],
                         [pod["serviceAccountName"], pod["automountServiceAccountToken"]])
        policy = self.cluster.get("networkpolicy", "aggregate-counts")["spec"]
        self.assertEqual([[{"protocol": "TCP", "port": "http"}]],
                         [rule["ports"] for rule in policy["ingress"]])
        for kind in ("poddisruptionbudget", "serviceaccount"):
            self.assertTrue(self.cluster.exists(f"{kind}/aggregate-counts"))
        self.assertFalse(self.cluster.exists("service/aggregate-counts"), "nobody asks it")
        config = json.loads(
            self.cluster.get("configmap", "aggregate-counts")["data"]["config.json"])
        aggregate = config["bindings"][0]["spec"]["aggregate"]
        self.assertEqual(["visits"], [column["name"] for column in aggregate["columns"]])
        self.operator.wait("the binding's state", lambda: self.cluster.get(
            "sourcebinding", "counts-root").get("status", {}).get("message")
            == "no process aggregates events", _SECONDS)

        self._delete("default", "counts")
        self.operator.wait("end of aggregates", lambda: (
            not self.cluster.exists("statefulset/aggregate-counts")), _SECONDS)
        self.operator.wait("end of the table", lambda: (
            tables.keys().isdisjoint(self.stack.kafka.topics())), _SECONDS)
        self.assertIn("visits", self.stack.kafka.topics(), "it is not ours")

    def test_what_a_deleted_one_left_is_not_taken_unasked(self):
        self._declare("default", "left", deletionPolicy="Retain")
        index = self._serve("left")
        self._delete("default", "left")
        self._declare("default", "heir", ("id", "text"), indexName="left")
        self.operator.wait("stalled", lambda: self._stalled("default", "heir")["reason"]
                           == "AliasForeign", _SECONDS)
        self.assertIn("default/left", self._stalled("default", "heir")["message"])
        self.assertEqual({index: "default/left"}, self._indices("left"))


if __name__ == "__main__":
    unittest.main()
