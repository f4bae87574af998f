"""A whole database on a real Kubernetes: every table equals its index, while tables are made and
altered and the pods of the operator and of the queries are killed.

SEED chooses the rows and their changes.
"""

import contextlib
import os
import random
import sys
import unittest

from e2e import database_oracle as oracle
from e2e.cluster.product import ClusterProduct
from e2e.harness.database import TABLES, Shop, index_of
from e2e.harness.meanwhile import Changes
from e2e.servers import Cluster, ServersError, Stack

SEED = int(os.environ.get("SEED") or random.randrange(2**32))

_ROWS = 100
_RATE = 10
_PAGE = 500
_SERVED_SECONDS = 1800
_RECOVER_SECONDS = 600
_QUERY = "searchsync.io/index=shop,searchsync.io/role=query"


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class ClusterDatabaseTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        print(f"SEED={SEED}", file=sys.stderr, flush=True)
        cls.cluster = cls.enterClassContext(Cluster())
        cls.stack = cls.enterClassContext(Stack(host=cls.cluster.node_address))
        cls.product = ClusterProduct(cls.cluster)
        cls.product.install()
        cls.shop = Shop(cls.stack, cls.stack.run_dir / "resources", SEED)
        cls.shop.generator.load(_ROWS)
        cls.connection = cls.enterClassContext(contextlib.closing(cls.shop.connect()))
        cls.product.apply(cls.shop.resources)

    def test_every_document_is_as_its_row(self):
        self._wait_kept(TABLES)
        self.shop.query = self.product.address("query", "shop")
        self._wait_equal(TABLES)
        tables = {**TABLES, "invoices": "invoices"}
        with Changes(self.shop.generator, _RATE):
            self.shop.sql(
                "CREATE TABLE invoices (id int PRIMARY KEY, order_id uuid, amount numeric);"
                "INSERT INTO invoices SELECT n, NULL, n / 4.0 FROM generate_series(1, 300) n")
            self.product.kill_operator(self.product.leader())
            self._wait_kept(tables)
            # Nobody writes these rows again: what they have now has to be read again.
            self.shop.sql("ALTER TABLE users ADD COLUMN vip int DEFAULT 5")
            query = self.product.pods(_QUERY)[0]["metadata"]
            self.product.kill_pod(query["name"])
            self.product.wait("another query pod", lambda: query["uid"] not in {
                pod["metadata"]["uid"] for pod in self.product.pods(_QUERY)}, _RECOVER_SECONDS)
        self._wait_kept(tables)
        self._wait_equal(tables)
        self.assertTrue(all(document["vip"] == ("number", "5")
                            for document in self._documents("users")))
        for name in [*map(index_of, tables), "shop"]:
            self.assertEqual(0, self.product.index(name)["status"].get("deadLetters", 0), name)
        self.shop.sql("DROP TABLE invoices")
        self.product.wait("end of its pair", lambda: not self.cluster.exists(
            "searchindex,sourcebinding", "--selector=searchsync.io/database=shop",
            "--field-selector=metadata.name=shop-invoices"), _RECOVER_SECONDS)
        self.product.wait("queries of it to be refused", lambda: self.shop.ask(
            "POST", "/v1/invoices/search", {"size": 1})[0] == 404, _RECOVER_SECONDS)

    def _wait_kept(self, tables: dict[str, str]) -> None:
        def kept() -> bool:
            status = self.product.index("shop")["status"]
            return (status["tables"] == {"kept": len(tables), "ready": len(tables), "refused": 1}
                    and self.product.condition("shop", "Ready") == "True")
        self.product.wait(f"{len(tables)} tables that are served", kept, _SERVED_SECONDS)

    def _wait_equal(self, tables: dict[str, str]) -> None:
        """Until the query service has each row, and nothing else."""
        last: list[str] = []

        def equal() -> bool:
            last[:] = [one for path, table in tables.items() for one in oracle.differences(
                self.connection, table, ((None, one) for one in self._documents(path)))]
            return not last
        try:
            self.product.wait("every document as its row", equal, _RECOVER_SECONDS)
        except ServersError as error:
            self.fail("\n".join([f"SEED={SEED}", *last, str(error)]))

    def _documents(self, path: str) -> list[dict]:
        """All that the query service has of a table."""
        found, cursor = [], None
        while True:
            body = {"size": _PAGE, **({"cursor": cursor} if cursor else {})}
            status, answer = self.shop.ask("POST", f"/v1/{path}/search", body, oracle.parse)
            if status != 200:
                raise ServersError(f"{path}: {status} {answer}")
            found += [hit["source"] for hit in answer["hits"]]
            cursor = answer.get("cursor")
            if not cursor:
                return found


if __name__ == "__main__":
    unittest.main()
