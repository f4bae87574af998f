"""A whole database, end to end: every table equals its index, whatever happens to both.

Random transactions never pause; meanwhile tables are made, altered, emptied, dropped and made anew,
and processes are killed. Then every document of every index is compared with SQL.

SEED repeats a history of changes. SEARCH chooses the engine, ROWS the number of rows loaded, RATE
the transactions a second.
"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

from e2e import database_oracle as oracle
from e2e.harness import SearchSync
from e2e.harness.database import EXAMPLE, TABLES, Shop
from e2e.harness.meanwhile import Changes, Meanwhile
from e2e.servers import ServersError, Stack

SEED = int(os.environ.get("SEED") or random.randrange(2**32))
ROWS = int(os.environ.get("ROWS") or 300)
RATE = float(os.environ.get("RATE") or 30)

_PAGE = (Path(__file__).parents[1] / "docs" / "database.md").read_text(encoding="utf-8")
_SECONDS = 600

_REFUSED = {
    "public.visits": "ADD PRIMARY KEY",
    "public.scratch": "SET LOGGED",
    "public.mute": "REPLICA IDENTITY DEFAULT",
    "public.late": "without DEFERRABLE",
    "public.a name": "RENAME TO",
}
_MORE_TABLES = """
  CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
  CREATE TABLE mute (id int PRIMARY KEY);
  ALTER TABLE mute REPLICA IDENTITY NOTHING;
  CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
  CREATE TABLE "a name" (id int PRIMARY KEY)"""

# Each of which says nothing of the rows that are there already to whoever reads the log.
_ALTERATIONS = (
    "ALTER TABLE users ADD COLUMN vip int DEFAULT 5",
    "ALTER TABLE orders ADD COLUMN ticket uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE reviews DROP COLUMN helpful",
    "ALTER TABLE reviews ADD COLUMN helpful int DEFAULT 3",
    "ALTER TABLE products RENAME COLUMN color TO colour",
    "ALTER TABLE products ALTER COLUMN weight TYPE numeric USING weight * 1000",
    "ALTER TABLE stock_moves ALTER COLUMN moved TYPE int USING moved * 10",
    "TRUNCATE stock_moves_old",
    "CREATE TABLE stock_moves_older (LIKE stock_moves);"
    "INSERT INTO stock_moves_older VALUES ('2020-01-01', 'lamp', 1), ('2020-01-02', 'tent', 2);"
    "ALTER TABLE stock_moves DETACH PARTITION stock_moves_old; DROP TABLE stock_moves_old;"
    "ALTER TABLE stock_moves ATTACH PARTITION stock_moves_older "
    "FOR VALUES FROM (MINVALUE) TO ('2024-01-01')",
    "ALTER TABLE staff.employees ALTER COLUMN id TYPE bigint USING id * 7, "
    "ALTER COLUMN boss TYPE bigint USING boss * 7",
)


class Reader(Meanwhile):
    """Asks for users, and notes for how long nobody answers: the service starts anew when what it
    answers for has changed."""

    def __init__(self, shop: Shop):
        super().__init__()
        self._shop = shop
        self._since: float | None = None  # nobody has answered
        self.answers = 0
        self.silences: list[float] = []  # seconds
        self.others: list[Any] = []  # answers that are none

    def step(self) -> None:
        asked = time.monotonic()
        try:
            status, answer = self._shop.ask("POST", "/v1/users/search", {"size": 1})
        except OSError:
            self._since = self._since or asked
            time.sleep(0.01)
            return
        if self._since is not None:
            self.silences.append(asked - self._since)
            self._since = None
        self.answers += 1
        if status != 200 or len(answer["hits"]) != 1:
            self.others.append((status, answer))


class DatabaseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        say(f"SEED={SEED} ROWS={ROWS} RATE={RATE}")
        cls.stack = cls.enterClassContext(Stack())
        cls.shop = Shop(cls.stack, cls.stack.run_dir / "resources", SEED)
        cls.shop.generator.load(ROWS)
        cls.shop.sql(_MORE_TABLES)
        cls.product = cls.enterClassContext(
            SearchSync(cls.shop.resources, cls.stack.run_dir / "product"))
        cls.connection = cls.enterClassContext(contextlib.closing(cls.shop.connect()))

    def test_everything(self):
        kept = self._wait_kept(len(TABLES))
        with Changes(self.shop.generator, RATE) as changes:
            self._refused(kept)
            self._kill("capture")
            self._kill("worker", "shop-staff--desks")
            self._kill("query")
            with Reader(self.shop) as reader:
                self._tables_come_and_go()
                self._alterations()
            self._everything_is_killed()
        say(f"{changes.made} transactions; {reader.answers} answers, and {len(reader.silences)} "
            f"silences of at most {max(reader.silences, default=0):.1f} s, together "
            f"{sum(reader.silences):.1f} s")
        self.assertEqual([], reader.others[:3])
        self.assertGreater(reader.answers, 50)
        self.assertGreater(changes.made, 50)
        self._wait_equal({**TABLES, "invoices": "invoices"})
        self._nothing_is_dead()
        self._relations()
        self._one_service_for_all()
        self._without_the_database()

    # What happens.

    def _refused(self, status: dict[str, Any]) -> None:
        self.assertEqual({"kept": len(TABLES), "ready": len(TABLES), "refused": len(_REFUSED)},
                         status["tables"])
        for table, remedy in _REFUSED.items():
            self.assertRegex(status["message"], f"{table}: [^;]*.*{remedy}")
        self.assertNotIn("audit_log", status["message"])

    def _tables_come_and_go(self) -> None:
        say("a table is made, one is emptied, one made anew, one gets a key and loses it again")
        self.shop.sql("CREATE TABLE invoices (id int PRIMARY KEY, order_id uuid, amount numeric);"
                      "INSERT INTO invoices SELECT n, NULL, n / 4.0 FROM generate_series(1, 500) n;"
                      "CREATE TABLE gone (id int PRIMARY KEY, a text);"
                      "INSERT INTO gone SELECT n, 'x' FROM generate_series(1, 50) n;"
                      "ALTER TABLE visits ADD COLUMN id bigserial PRIMARY KEY;"
                      "INSERT INTO visits (at, page) VALUES (now(), 'first')")
        self._wait_kept(len(TABLES) + 3)
        self.shop.sql("INSERT INTO invoices VALUES (501, NULL, 1); DELETE FROM invoices "
                      "WHERE id = 7; TRUNCATE reviews")
        self._wait_equal({"invoices": "invoices", "gone": "gone", "visits": "visits"})
        self._kill("capture")
        # Other rows, and fewer: those of the former table have to go.
        self.shop.sql("DROP TABLE gone; CREATE TABLE gone (id int PRIMARY KEY, a text);"
                      "INSERT INTO gone SELECT n, 'y' FROM generate_series(40, 60) n;"
                      "ALTER TABLE visits DROP COLUMN id")
        self._wait_kept(len(TABLES) + 2)
        self._wait_equal({"gone": "gone"})
        self.shop.sql("DROP TABLE gone")
        self._wait_kept(len(TABLES) + 1)
        self.product.wait("no index of what is not kept", lambda: not (
            {"shop-gone", "shop-visits"}
            & {index["name"] for index in self.product.status()["indices"]}), _SECONDS)
        self.product.wait("queries of it to be refused", lambda: (
            self.shop.ask("GET", "/v1/gone/documents")[0] == 404), _SECONDS)

    def _alterations(self) -> None:
        for statement in _ALTERATIONS:
            say(statement)
            self.shop.sql(statement)
            if "vip" in statement:
                self.product.wait("the new column's default in every document",
                                  self._all_have_the_default, _SECONDS)
        self._kill("worker", "shop-staff--desks")

    def _all_have_the_default(self) -> bool:
        """Nobody has written a user since the column was added."""
        try:
            found = [source.get("vip") for _, source in
                     self.shop.documents("shop-users", oracle.parse)]
        except ServersError:  # an index that is replaced just now
            return False
        return len(found) == ROWS and set(found) == {("number", "5")}

    def _everything_is_killed(self) -> None:
        say("all of searchsync is killed, and started again")
        self.product.kill()
        self.shop.sql("ALTER TABLE invoices ADD COLUMN paid boolean DEFAULT true")
        self.product.start()
        self._wait_kept(len(TABLES) + 1)

    def _without_the_database(self) -> None:
        say("the database stops: what it had is kept")
        before = sorted(index["name"] for index in self.product.status()["indices"])
        self.stack.postgres.stop()
        self.product.wait("word of it in the status", lambda: (
            "cannot be read" in self.product.index("shop")["message"]), _SECONDS)
        self.product.kill()
        self.product.start()
        self.product.wait("the same, of one that has never seen it", lambda: (
            "cannot be read" in self.product.index("shop")["message"]), _SECONDS)
        self.assertEqual(before, sorted(
            index["name"] for index in self.product.status()["indices"]))
        self.product.wait("queries", lambda: self.shop.ask(
            "POST", "/v1/invoices/search", {"size": 5})[0] == 200, _SECONDS)
        self.stack.postgres.start()
        self.stack.postgres.wait_ready()
        self._wait_kept(len(TABLES) + 1)

    # What must hold.

    def _wait_kept(self, count: int) -> dict[str, Any]:
        """Until so many tables are kept, each is served, and queries are answered; the status
        that says so."""
        status: dict[str, Any] = {}

        def kept() -> bool:
            nonlocal status
            status = self.product.index("shop")
            ready = next(c for c in status["conditions"] if c["type"] == "Ready")
            return (ready["status"] == "True" and status["tables"]["kept"] == count
                    and status["tables"]["ready"] == count)
        self.product.wait(f"{count} tables, all of them served", kept, _SECONDS)
        self.product.wait_ready("query", _SECONDS)
        return status

    def _wait_equal(self, tables: dict[str, str]) -> None:
        last: list[str] = []

        def equal() -> bool:
            try:
                last[:] = self.shop.differences(self.connection, tables)
            except ServersError as error:  # an index that is replaced just now
                last[:] = [str(error)]
            return not last
        try:
            self.product.wait("every document as its row", equal, _SECONDS)
        except Exception as error:
            raise AssertionError("\n".join([f"SEED={SEED}", *last])) from error

    def _nothing_is_dead(self) -> None:
        for index in self.product.status()["indices"]:
            self.assertEqual(0, index["deadLetters"], index)

    def _relations(self) -> None:
        """What docs/database.md has people type, and the example's queries: as SQL says it."""
        users, orders = re.findall(r"^\$ curl localhost:8080(\S+) -d '(.*)'$", _PAGE, re.MULTILINE)
        self._check_ids(*users, "SELECT DISTINCT user_id::text FROM orders "
                                "WHERE total > 100 AND user_id IS NOT NULL")
        self._check_ids(*orders, "SELECT o.id::text FROM orders o JOIN users u ON u.id = o.user_id "
                                 "WHERE o.state = 'open' AND NOT u.active")
        for query, table in (("users-with-a-large-order", "users"),
                             ("orders-of-inactive-users", "orders")):
            body = json.loads((EXAMPLE / "queries" / f"{query}.json").read_text(encoding="utf-8"))
            self.assertNotEqual([], self.shop.hits(table, body), query)

    def _check_ids(self, path: str, body: str, sql: str) -> None:
        status, answer = self.shop.ask("POST", path, body.encode())
        self.assertEqual(200, status, answer)
        wanted = sorted(row for (row,) in self.shop.sql(sql))
        self.assertGreater(len(wanted), 3, sql)
        self.assertEqual(wanted, sorted(hit["id"] for hit in answer["hits"]))

    def test_the_page_is_right(self):
        """Its resources have no fault, and its other command says how the tables stand."""
        folder = self.stack.run_dir / "page"
        folder.mkdir()
        resources = re.search(r"^```yaml\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)[1]
        (folder / "shop.yaml").write_text(resources, encoding="utf-8")
        self._run("validate", str(folder))
        self.assertIn("$ searchsync status resources\n", _PAGE)
        said = self._run("status", str(self.shop.resources), "--state-dir",
                         str(self.stack.run_dir / "product" / "state"))
        self.assertIn("not kept: ", said)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(self.product.command(*arguments), capture_output=True, text=True,
                              check=False, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def _one_service_for_all(self) -> None:
        self.assertEqual(["query-shop"], [c.name for c in self.product.children("query")])
        kept = sorted([*TABLES, "invoices"])
        status, answer = self.shop.ask("GET", "/v1")
        self.assertEqual((200, kept), (status, sorted(one["name"] for one in answer["indices"])))
        status, document = self.shop.ask("GET", "/openapi.json")
        self.assertEqual(200, status)
        for table in kept:
            self.assertIn(f"/v1/{table}/search", document["paths"])
        status, answer = self.shop.ask("POST", "/v1/user/search", {})
        self.assertEqual(404, status)
        self.assertIn("did you mean `users`?", answer["error"]["message"])
        # Pages of a table whose key is of a type that has no order of its own.
        pages, cursor = [], None
        while cursor is not None or not pages:
            body = {"size": 100, **({"cursor": cursor} if cursor else {})}
            status, answer = self.shop.ask("POST", "/v1/stock_moves/search", body)
            self.assertEqual(200, status, answer)
            pages += [hit["id"] for hit in answer["hits"]]
            cursor = answer.get("cursor")
        [(count,)] = self.shop.sql("SELECT count(*) FROM stock_moves")
        self.assertEqual(count, len(set(pages)))

    def _kill(self, role: str, name: str = "") -> None:
        victim = next(child for child in self.product.children(role) if name in child.name)
        say(f"{victim.name} is killed")
        victim.kill()
        self.product.wait_replaced(victim)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    unittest.main()
