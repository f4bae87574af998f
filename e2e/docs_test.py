"""What docs/ has people type, typed: with `searchsync run` in place of pods, and against a real API
server. SEARCH chooses the engine."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from e2e.harness import BINARY, SearchSync, write_secret
from e2e.harness.engine import Connection
from e2e.harness.operator import install_definitions
from e2e.servers import Cluster, Stack

_DOCS = Path(__file__).parents[1] / "docs"
_SECONDS = 600


def _blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (_DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _commands(page: str, beginning: str) -> list[str]:
    """What stands behind the prompt and begins so, without comments; lines that go on are one."""
    lines = "".join(_blocks(page, "console")).replace("\\\n", "").splitlines()
    typed = [re.sub(r"\s+#.*", "", line.removeprefix("$ ")) for line in lines
             if line.startswith("$ ")]
    return [re.sub(r"\s+", " ", one) for one in typed if one.startswith(beginning)]


def _with_customer(resources: str) -> str:
    """The first index's, with the field that the page adds to the mapping."""
    text = (_DOCS / "first-index.md").read_text(encoding="utf-8")
    field = re.search(r"`(customer: \{.*?\})`", text)[1]
    first = "      id: {type: integer}\n"
    assert resources.count(first) == 1, resources
    return resources.replace(first, f"{first}      {field}\n")


class FirstIndexTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack())
        cls.folder = cls.stack.run_dir / "orders"
        cls.folder.mkdir()
        cls.first, cls.second = _blocks("first-index.md", "yaml")

    def _write(self, name: str, text: str) -> None:
        for said, real in (("http://search:9200", self.stack.search.url),
                           ("kafka:9092", self.stack.kafka.address)):
            text = text.replace(said, real)
        (self.folder / name).write_text(text, encoding="utf-8")

    def _psql(self, text: str, database: str = "postgres") -> None:
        """As a person at psql, with the passwords of both users in a file."""
        postgres = self.stack.postgres
        password_file = self.stack.run_dir / "pgpass"
        password_file.touch(0o600)
        password_file.write_text(f"*:*:*:postgres:{postgres.password()}\n"
                                 "*:*:*:searchsync:change-me\n", encoding="utf-8")
        done = subprocess.run(
            ["psql", "--set=ON_ERROR_STOP=1", "--no-psqlrc", "--host", postgres.host, "--port",
             str(postgres.port), "--username", "postgres", database], input=text, text=True,
            env={**os.environ, "PGPASSFILE": str(password_file)}, capture_output=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def _ask(self, product: SearchSync, command: str) -> list[int]:
        """What a curl command of the page asks; the ids of the answer, in order."""
        path, body = re.fullmatch(r"curl localhost:8080(\S+) -d '(.*)'", command).groups()
        children = product.children("query")
        if not children:
            raise KeyError("query")  # not yet
        connection = Connection(children[0].address)
        try:
            status, answer = connection.request("POST", path, body.encode())
        finally:
            connection.close()
        self.assertEqual(200, status, answer)
        return sorted(int(hit["id"]) for hit in answer["hits"])

    def test_as_it_is_written(self):
        self._psql(_blocks("first-index.md", "sql")[0])
        secret = re.search(r"--from-literal=uri=(\S+)", _commands(
            "first-index.md", "kubectl create secret generic shop-db")[0])[1]
        write_secret(self.folder, "shop-db", {"uri": secret.replace(
            "postgres:5432", f"{self.stack.postgres.host}:{self.stack.postgres.port}")})
        self._write("orders.yaml", self.first)
        open_orders, of_ada = _commands("first-index.md", "curl")
        with SearchSync(self.folder, self.stack.run_dir / "product") as product:
            product.wait_served("orders", _SECONDS)
            product.wait_ready("query")
            product.wait("open orders", lambda: self._ask(product, open_orders) == [2, 3], _SECONDS)
            self._psql("UPDATE orders SET state = 'paid' WHERE id = 2", "shop")
            product.wait("one less", lambda: self._ask(product, open_orders) == [3], _SECONDS)

            before = product.index("orders")["alias"]
            self._write("customers.yaml", self.second)
            self._write("orders.yaml", _with_customer(self.first))
            product.wait("another index", lambda: (
                product.index("orders")["alias"] not in (None, before)), _SECONDS)
            product.wait("orders of Ada", lambda: self._ask(product, of_ada) == [1, 3], _SECONDS)
            self._psql("UPDATE customers SET name = 'Ada L.' WHERE id = 1", "shop")
            product.wait("orders of Ada, renamed", lambda: self._ask(
                product, of_ada.replace("Ada", "Ada L.")) == [1, 3], _SECONDS)


class ClusterTest(unittest.TestCase):
    """Without an operator: what the API server and the plugin make of it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="searchsync-docs-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "kubectl-searchsync").symlink_to(BINARY)
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)
        (cls.folder / "orders").mkdir()
        cls.first, cls.second = _blocks("first-index.md", "yaml")
        (cls.folder / "orders" / "orders.yaml").write_text(cls.first, encoding="utf-8")
        for command in (*_commands("first-index.md", "kubectl create"),
                        *_commands("first-index.md", "kubectl apply")[:1]):
            cls._type(command)

    @classmethod
    def _type(cls, command: str) -> str:
        """At a shell in the folder. What it prints."""
        path = f"{cls.folder}:{cls.cluster.program('kubectl').parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=cls.folder, capture_output=True, text=True, check=False,
            timeout=120, env={**os.environ, **cls.cluster.environment(), "PATH": path})
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def _spec(self) -> dict:
        return self.cluster.get("searchindex", "orders")["spec"]

    def test_a_plan_of_the_second_binding(self):
        (self.folder / "orders" / "orders.yaml").write_text(_with_customer(self.first),
                                                            encoding="utf-8")
        (self.folder / "orders" / "customers.yaml").write_text(self.second, encoding="utf-8")
        said = self._type(_commands("first-index.md", "kubectl searchsync plan")[0])
        self.assertIn("SourceBinding default/customer: is created", said)
        self.assertRegex(said, r"a reindex: orders-\w+ is built beside")

    def test_cleaning_up_deletes_the_data(self):
        self._type(_commands("first-index.md", "kubectl patch")[0])
        self.assertEqual("Delete", self._spec()["deletionPolicy"])

    def test_what_people_do_with_a_reindex(self):
        for command in _commands("reindex.md", "kubectl searchsync forward"):
            self._type(command.replace("NAME", "orders"))
        self.assertNotIn("serve", self._spec().get("reindex", {}))
        fields = "\n".join(f"  {line}" for line in _blocks("reindex.md", "yaml")[0].splitlines())
        path = self.folder / "patch.yaml"
        path.write_text(f"spec:\n{fields}\n", encoding="utf-8")
        self._type("kubectl patch searchindex orders --type=merge --patch-file patch.yaml")
        self.assertEqual("Manual", self._spec()["reindex"]["approval"])

    def test_scaling_by_others(self):
        for command in _commands("scaling.md", "kubectl"):
            said = self._type(command.replace("NAMESPACE", "default").replace("NAME", "orders"))
        self.assertIn('"replicas":3', said)
        self.assertEqual(3, self._spec()["workers"]["replicas"])
        fields, autoscaler = _blocks("scaling.md", "yaml")
        path = self.folder / "autoscaler.yaml"
        path.write_text(autoscaler, encoding="utf-8")
        self._type("kubectl apply -f autoscaler.yaml")
        path = self.folder / "scaling.yaml"
        indented = "\n".join(f"  {line}" for line in fields.splitlines())
        path.write_text(f"spec:\n{indented}\n", encoding="utf-8")
        self._type("kubectl patch searchindex orders --type=merge --patch-file scaling.yaml")
        self.assertEqual(8, self._spec()["workers"]["autoscaling"]["max"])


if __name__ == "__main__":
    unittest.main()
