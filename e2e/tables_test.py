"""A whole database on a cluster, with no node behind it: the objects of its tables, which are real,
with the operator's real rights, and the workloads of all of them, of which no pod runs.
"""

import base64
import gzip
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable

from e2e.chart.render import MANIFESTS, NAMESPACE
from e2e.harness.database import TABLES, Shop, index_of
from e2e.harness.operator import Operator, account_kubeconfig, install_definitions, search_index
from e2e.install import audit
from e2e.servers import Cluster, Stack

_ACCOUNT = "searchsync-operator"
_SECONDS = 600
_KINDS = ("searchindices", "sourcebindings")
_GROUP = "searchsync.io"


class TablesTest(unittest.TestCase):
    """One story of one database."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        audit.policy(cls.folder / "policy.json",
                     f"system:serviceaccount:{NAMESPACE}:{_ACCOUNT}")
        cls.audit = audit.Audit(cls.folder / "audit.log")
        cls.cluster = cls.enterClassContext(Cluster(api_only=True, controllers=True, api_flags={
            "audit-policy-file": str(cls.folder / "policy.json"),
            "audit-log-path": str(cls.folder / "audit.log"),
            "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement"}))
        cls.stack = cls.enterClassContext(Stack())
        install_definitions(cls.cluster)
        cls.cluster.kubectl("apply", "--server-side", "--force-conflicts",
                            f"--kustomize={MANIFESTS / 'base'}")
        cls.shop = Shop(cls.stack, cls.stack.run_dir / "resources", 1)
        secret = cls.shop.resources / "secrets" / "shop-db" / "uri"
        cls.cluster.apply({"apiVersion": "v1", "kind": "Secret",
                           "metadata": {"name": "shop-db", "namespace": "default"},
                           "stringData": {"uri": secret.read_text(encoding="utf-8")}})
        cls.kubeconfig = account_kubeconfig(cls.cluster, _ACCOUNT, NAMESPACE,
                                            cls.folder / "kubeconfig")

    def setUp(self):
        self.runs = 0
        self.operator = self._start()

    def _start(self) -> Operator:
        self.runs += 1
        return self.enterContext(Operator(
            self.cluster, self.folder / f"operator-{self.runs}", f"--lease-namespace={NAMESPACE}",
            f"--lease-name={_ACCOUNT}", kubeconfig=self.kubeconfig))

    def _wait(self, what: str, condition: Callable[[], Any]) -> None:
        self.operator.wait(what, lambda: bool(condition()), _SECONDS)

    def _status(self) -> dict[str, Any]:
        return self.cluster.get("searchindex", "shop").get("status", {})

    def _objects(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the database owns, by kind and name."""
        found = self.cluster.get(",".join(_KINDS), "--selector=searchsync.io/database=shop")["items"]
        return {(one["kind"], one["metadata"]["name"]): one for one in found}

    def _pairs(self, *indices: str) -> set[tuple[str, str]]:
        return {(kind, index) for index in indices for kind in ("SearchIndex", "SourceBinding")}

    def _wait_pairs(self, *indices: str) -> None:
        self._wait(f"{len(indices)} pairs", lambda: (
            self._objects().keys() == self._pairs(*indices)
            and self._status()["tables"]["kept"] == len(indices)))

    def _config(self, workload: str) -> dict[str, Any]:
        config_map = self.cluster.get("configmap", workload)
        if "data" in config_map:
            return json.loads(config_map["data"]["config.json"])
        return json.loads(gzip.decompress(base64.b64decode(
            config_map["binaryData"]["config.json"])))

    def _captured(self) -> set[str]:
        return {table["table"] for table in self._config("capture-shop-db")["tables"]}

    def _served(self) -> list[str]:
        return [table["name"] for table in self._config("query-shop")["tables"]]

    def _indices(self, name: str) -> list[str]:
        return list(self.stack.search.request("GET", f"/{name}-*/_mapping")[1])

    def _serve(self, path: str, table: str) -> None:
        """Has readers read a table's index, in place of a capture and workers."""
        name = index_of(path)
        self.stack.kafka.create_topic(f"capture.default.shop-db.{table}")
        self._wait(f"index of {path}", lambda: self._indices(name))
        index, = self._indices(name)
        self.stack.search.request("POST", "/_aliases", {"actions": [
            {"add": {"index": index, "alias": name}}]})
        self._wait(f"queries of {path}", lambda: path in self._served())

    def _patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.cluster.kubectl("patch", kind, name, "--type=merge", f"--patch={json.dumps(patch)}")

    def test_story(self):
        self._pairs_of_the_example()
        self._workloads()
        kept = [index_of(path) for path in TABLES]
        self._tables_come_and_go(kept)
        self._what_people_do(kept)
        self._somebody_elses_name(kept)
        self._without_the_database()
        self._deletion()
        self._rights()

    def _pairs_of_the_example(self) -> None:
        self.cluster.kubectl("apply", f"--filename={self.shop.resources}")
        self._wait_pairs(*(index_of(path) for path in TABLES))
        owner = self.cluster.get("searchindex", "shop")
        self.assertNotIn("finalizers", owner["metadata"])
        for (kind, name), one in self._objects().items():
            self.assertEqual([{"apiVersion": "searchsync.io/v1alpha1", "kind": "SearchIndex",
                               "name": "shop", "uid": owner["metadata"]["uid"]}],
                             one["metadata"]["ownerReferences"])
            if kind == "SourceBinding":
                self.assertEqual(name, one["spec"]["indexRef"]["name"])
        status = self._status()
        self.assertEqual({"kept": len(TABLES), "ready": 0, "refused": 1}, status["tables"])
        self.assertIn("not kept: public.visits: it has no primary key", status["message"])
        self._wait("the binding's state", lambda: self.cluster.get(
            "sourcebinding", "shop-db")["status"]["state"] == "Running")

    def _workloads(self) -> None:
        """One capture for all tables, one query service for those that are served."""
        self._wait("one capture of all", lambda: self._captured() == {
            table if "." in table else f"public.{table}" for table in TABLES.values()})
        for path, table in (("users", "public.users"), ("staff.desks", "staff.desks")):
            self._serve(path, table)
        self._wait("both in one service", lambda: sorted(self._served()) == ["staff.desks", "users"])
        roles = {role: [one["metadata"]["name"] for one in self.cluster.get(
            "deployments", f"--selector=searchsync.io/role={role}")["items"]]
            for role in ("capture", "query")}
        self.assertEqual({"capture": ["capture-shop-db"], "query": ["query-shop"]}, roles)
        self.assertTrue(self.cluster.exists("service/query-shop"))
        for deployment in ("capture-shop-db", "query-shop"):
            self.assertEqual(["shop"], [one["name"] for one in self.cluster.get(
                "deployment", deployment)["metadata"]["ownerReferences"]])
        workers = self.cluster.get("statefulsets", "--selector=searchsync.io/role=worker")["items"]
        self.assertEqual({"shop-users", "shop-staff--desks"},
                         {one["metadata"]["labels"]["searchsync.io/index"] for one in workers})

    def _tables_come_and_go(self, kept: list[str]) -> None:
        self.shop.sql("CREATE TABLE invoices (id int PRIMARY KEY, user_id bigint REFERENCES users)")
        self._wait_pairs(*kept, "shop-invoices")
        self._wait("its capture", lambda: "public.invoices" in self._captured())
        self.shop.sql("ALTER TABLE invoices ADD COLUMN amount numeric")
        self._wait("its column", lambda: "amount" in self._objects()[
            "SearchIndex", "shop-invoices"]["spec"]["mappings"]["properties"])
        self._serve("invoices", "public.invoices")
        self._patch("searchindex", "shop", {"spec": {"deletionPolicy": "Delete"}})
        self._wait("finalizers", lambda: all("finalizers" in one["metadata"] for (kind, _), one in
                                             self._objects().items() if kind == "SearchIndex"))
        self.shop.sql("DROP TABLE invoices")
        self._wait_pairs(*kept)
        self._wait("no data of it", lambda: not self._indices("shop-invoices"))
        self._wait("no queries of it", lambda: sorted(self._served()) == ["staff.desks", "users"])
        self._wait("no capture of it", lambda: "public.invoices" not in self._captured())
        self.assertTrue(self._indices("shop-users"))

    def _what_people_do(self, kept: list[str]) -> None:
        before = {key: one["spec"] for key, one in self._objects().items()}
        # What an apply alone would leave, for somebody else has put it there; what it would not.
        for patch in ({"spec": {"workers": {"storage": {"size": "1Gi"}}}},
                      {"spec": {"suspend": True, "replicas": 3}},
                      {"spec": {"mappings": {"properties": {"more": {"type": "text"}}}}}):
            self._patch("searchindex", "shop-users", patch)
            self._wait("the spec as it was", lambda: self._objects()[
                "SearchIndex", "shop-users"]["spec"] == before["SearchIndex", "shop-users"])
        for kind, name in (("sourcebinding", "shop-orders"), ("searchindex", "shop-reviews")):
            uid = self.cluster.get(kind, name)["metadata"]["uid"]
            self.cluster.kubectl("delete", kind, name)
            self._wait(f"another {name}", lambda: self.cluster.get(kind, name)[
                "metadata"]["uid"] != uid)
        self._patch("sourcebinding", "shop-users",
                    {"metadata": {"labels": {"searchsync.io/database": None}}})
        self._wait_pairs(*kept)
        self.assertEqual(before, {key: one["spec"] for key, one in self._objects().items()})

    def _somebody_elses_name(self, kept: list[str]) -> None:
        self.cluster.apply(search_index("default", "shop-coupons", suspend=True))
        theirs = self.cluster.get("searchindex", "shop-coupons")["metadata"]
        self.shop.sql("CREATE TABLE coupons (code text PRIMARY KEY)")
        self._wait("a pair of another name", lambda: len(self._objects()) == 2 * len(kept) + 2)
        (name,) = {name for _, name in self._objects()} - set(kept)
        self.assertRegex(name, "^shop-coupons---")
        self._wait("word of it", lambda: "other resources have the names of table public.coupons"
                   in self._status()["message"])
        now = self.cluster.get("searchindex", "shop-coupons")["metadata"]
        self.assertEqual((theirs["uid"], theirs["generation"]), (now["uid"], now["generation"]))
        self.shop.sql("DROP TABLE coupons")
        self._wait_pairs(*kept)

    def _without_the_database(self) -> None:
        def specs() -> dict[tuple[str, str], tuple[str, int]]:
            return {key: (one["metadata"]["uid"], one["metadata"]["generation"])
                    for key, one in self._objects().items()}
        before, served, captured = specs(), self._served(), self._captured()
        query = self.cluster.get("deployment", "query-shop")["metadata"]["generation"]
        self.stack.postgres.stop()
        said = "the database cannot be read, and what it had last is kept"
        self._wait("word of it", lambda: said in self._status()["message"])
        self.operator.kill()
        self.cluster.kubectl("patch", "searchindex", "shop", "--type=merge", "--subresource=status",
                             '--patch={"status":{"message":""}}')
        self.operator = self._start()
        self._wait("word of one that has never seen it", lambda: said in self._status()["message"])
        self._wait("all tables looked at", lambda: self._status()["phase"] != "Unknown")
        self.assertEqual((before, served, captured), (specs(), self._served(), self._captured()))
        self.assertEqual(query, self.cluster.get("deployment", "query-shop")[
            "metadata"]["generation"])
        self.stack.postgres.start()
        self.stack.postgres.wait_ready()
        self._wait("no word of it", lambda: said not in self._status()["message"])
        self.assertEqual(before, specs())

    def _deletion(self) -> None:
        self.assertTrue(self._indices("shop-users"))
        self.cluster.kubectl("delete", "searchindex", "shop", "--timeout=60s")
        self._wait("end of all that it owned", lambda: not self._objects())
        self.assertEqual([], self._indices("shop"))
        self.assertTrue(self.cluster.exists("searchindex/shop-coupons"))
        self._wait("end of its workloads", lambda: not self.cluster.get(
            "deployments,statefulsets", "--selector=app.kubernetes.io/managed-by=searchsync")[
                "items"])
        self._wait("its binding's word", lambda: "there is no SearchIndex default/shop"
                   in self.cluster.get("sourcebinding", "shop-db")["status"]["message"])

    def _rights(self) -> None:
        """All that the operator may do to the two kinds, it has done; and nothing was refused."""
        self.assertEqual([], self.audit.refused())

        def of_resources(rights: set[audit.Right]) -> list[audit.Right]:
            return sorted(one for one in rights if one[0] == _GROUP)
        role = self.cluster.get("clusterrole", _ACCOUNT)
        self.assertEqual(of_resources(audit.granted(role)), of_resources(self.audit.used()))


if __name__ == "__main__":
    unittest.main()
