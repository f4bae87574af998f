"""What a capture leaves in PostgreSQL when nobody needs it any more: nothing. In a folder, and in a
cluster of which only the API server is there.
"""

import shutil
import tempfile
import unittest
from pathlib import Path

from e2e.harness import SearchSync, engine, render, write_secret
from e2e.harness.operator import Operator, install_definitions, root_binding, search_index
from e2e.servers import Authority, Cluster, Stack

_LETTERS = Path(__file__).parent / "install"
_SECONDS = 600


class SlotTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        cls.authority = Authority(cls.folder / "authority")
        cls.stack = cls.enterClassContext(Stack(authority=cls.authority))
        cls.postgres = cls.stack.postgres

    def _database(self, name: str) -> dict[str, str]:
        """A new one, as its secret has it."""
        uri = self.postgres.create_database(name)
        self.postgres.execute("CREATE TABLE letters (id int PRIMARY KEY, text text);"
                              "INSERT INTO letters VALUES (1, 'a'), (2, 'b')", database=name)
        return {"uri": uri}

    def _left(self, database: str) -> list[str]:
        """The slots and publications of a database."""
        return [row[0] for row in self.postgres.execute(
            "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database() "
            "UNION ALL SELECT pubname::text FROM pg_publication", database=database)]


class FolderTest(SlotTest):
    def test_a_slot_goes_with_the_last_binding_and_is_made_anew(self):
        folder = self.stack.run_dir / "resources"
        render(_LETTERS, folder, {"${SEARCH}": self.stack.search.url,
                                  "${KAFKA}": self.stack.kafka.address})
        write_secret(folder, "letters-db", self._database("letters"))
        declared, aside = folder / "letters.yaml", folder.with_name("letters.yaml")
        with SearchSync(folder, self.stack.run_dir / "product") as product:
            product.wait_served("letters", _SECONDS)
            self.assertEqual(["searchsync_letters_db"] * 2, self._left("letters"))

            shutil.move(declared, aside)
            product.wait("slot and index to go", lambda: not self._left("letters")
                         and not product.status()["indices"], _SECONDS)
            self.postgres.execute("DELETE FROM letters WHERE id = 1;"
                                  "INSERT INTO letters VALUES (3, 'c')", database="letters")

            shutil.move(aside, declared)
            product.wait_served("letters", _SECONDS)
            product.wait("what changed meanwhile", lambda: dict(engine.documents(
                self.stack.search, "letters")).keys() == {"2", "3"}, _SECONDS)

    def test_a_slot_of_a_database_that_is_away_is_dropped_when_it_is_back(self):
        folder = self.stack.run_dir / "away"
        render(_LETTERS, folder, {"${SEARCH}": self.stack.search.url,
                                  "${KAFKA}": self.stack.kafka.address,
                                  "{name: letters}": "{name: away}",
                                  "{name: letters-db}": "{name: away-db}"})
        write_secret(folder, "away-db", self._database("away"))
        with SearchSync(folder, self.stack.run_dir / "away-product") as product:
            product.wait_served("away", _SECONDS)
            self.postgres.stop()
            shutil.move(folder / "letters.yaml", folder.with_name("away.yaml"))
            product.wait("a complaint", lambda: "drop the replication slot of capture-away-db"
                         in product.log.read_text(encoding="utf-8"), _SECONDS)
        self.postgres.start()
        self.postgres.wait_ready()
        self.assertEqual(["searchsync_away_db"] * 2, self._left("away"))
        with SearchSync(folder, self.stack.run_dir / "away-product") as product:
            product.wait("slot to go", lambda: not self._left("away"), _SECONDS)


class ClusterTest(SlotTest):
    """No pod runs: the test makes what a capture would."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)

    def _declare(self, name: str) -> None:
        binding = root_binding("default", name)
        binding["spec"]["source"] = {"postgres": {"secretRef": {"name": name},
                                                  "table": "public.letters"}}
        self.cluster.apply(search_index(
            "default", name, elasticsearch={"urls": [self.stack.search.url]},
            kafka={"bootstrapServers": [self.stack.kafka.address]}), binding)

    def _secret(self, name: str, entries: dict[str, str]) -> None:
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "stringData": entries,
                            "metadata": {"name": name, "namespace": "default"}})

    def _capture(self, name: str) -> None:
        for statement in (
                f"CREATE PUBLICATION searchsync_{name} FOR TABLE letters",
                f"SELECT pg_create_logical_replication_slot('searchsync_{name}', 'pgoutput')"):
            self.postgres.execute(statement, database=name)

    def _delete(self, name: str) -> None:
        self.cluster.kubectl("delete", f"searchindex/{name}", f"sourcebinding/{name}-root")

    def _gone(self, name: str) -> bool:
        return not self._left(name) and not self.cluster.exists(f"configmap/capture-{name}")

    def test_a_slot_goes_with_the_last_index(self):
        self._database("here")
        self._secret("here", {  # and the server's certificate is verified
            "host": self.postgres.host, "port": str(self.postgres.port), "dbname": "here",
            "username": "postgres", "password": self.postgres.password(),
            "ca.crt": self.authority.pem})
        with Operator(self.cluster, self.folder / "operator") as operator:
            self._declare("here")
            operator.wait("capture", lambda: self.cluster.exists("deployment/capture-here"),
                          _SECONDS)
            self._capture("here")
            self._delete("here")
            operator.wait("slot to go", lambda: self._gone("here"), _SECONDS)
            self.assertFalse(self.cluster.exists("deployment/capture-here"))

    def test_a_slot_is_dropped_by_an_operator_that_was_away_and_tried_until_it_can_be(self):
        entries = self._database("later")
        with Operator(self.cluster, self.folder / "before") as operator:
            self._declare("later")
            operator.wait("capture", lambda: self.cluster.exists("deployment/capture-later"),
                          _SECONDS)
        self._capture("later")
        self._delete("later")
        # As Kubernetes does when the owner is gone; the ConfigMap has none.
        self.assertEqual("", self.cluster.kubectl(
            "get", "configmap", "capture-later", "-o=jsonpath={.metadata.ownerReferences}"))
        self.cluster.kubectl("delete", "deployment", "capture-later")
        with Operator(self.cluster, self.folder / "after") as operator:
            operator.wait("an event", lambda: "there is no secret default/later" in
                          self.cluster.kubectl("events", "--for=configmap/capture-later"),
                          _SECONDS)
            self.assertEqual(["searchsync_later"] * 2, self._left("later"))
            self._secret("later", entries)
            operator.wait("slot to go", lambda: self._gone("later"), 2 * _SECONDS)


if __name__ == "__main__":
    unittest.main()
