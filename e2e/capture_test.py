"""`searchsync capture`, end to end: topics that equal the tables, whatever happens to the process.

SEED repeats a history of changes, SECONDS is how long it goes on. SEARCHSYNC_BINARY is the program
under test, build/release/bin/searchsync if not given.
"""

import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2

from e2e.servers import Process, Stack, wait_until

SEED = int(os.environ.get("SEED") or random.randrange(2**32))
SECONDS = float(os.environ.get("SECONDS") or 20)
BINARY = os.environ.get("SEARCHSYNC_BINARY") or str(
    Path(__file__).parents[1] / "build" / "release" / "bin" / "searchsync")

_TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN price AS numeric(12, 3) CHECK (value >= 0);
CREATE DOMAIN tags AS text[];
CREATE TABLE kinds (
  id int PRIMARY KEY, yes bool, small int2, large int8, real4 float4, real8 float8, nan float8,
  amount numeric, cost price, name varchar(20), padded char(4), quote text, mood mood, uid uuid,
  net inet, doc jsonb, raw json, at timestamptz, local timestamp, never timestamptz, day date,
  clock time, zoned timetz, span interval, bytes bytea, numbers int[], grid int[], texts text[],
  labels tags, moods mood[], times timestamptz[], area point, gone text,
  twice int GENERATED ALWAYS AS (id * 2) STORED
);
"""
_KINDS = """
INSERT INTO kinds VALUES (%s, true, -3, 9007199254740993, 0.1, 1e20, 'NaN', 12345678901234567890.10,
  1.5, 'ü', 'ab', E'a"b\\\\c\\n\\t', 'happy', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8',
  '{"a": [1, null]}', '{"b":  2}', '2024-01-15 12:30:00.120+02', '2024-01-15 10:30:00',
  'infinity', '2024-01-15', '10:30:00.5', '10:30:00+02', '1 year 2 days 03:04:05', '\\xdeadbeef',
  '{1,NULL,3}', '{{1,2},{3,4}}', '{"a b",NULL,"NULL","q\\"",""}', '{x,y}', '{sad,happy}',
  '{"2024-01-15 10:30:00+00"}', '(1,2.5)', NULL)
"""
_KINDS_JSON = {
    "yes": True, "small": -3, "large": 9007199254740993, "real4": 0.1, "real8": 1e20, "nan": "NaN",
    "amount": "12345678901234567890.10", "cost": "1.500", "name": "ü", "padded": "ab  ",
    "quote": "a\"b\\c\n\t", "mood": "happy", "uid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "net": "10.0.0.1/8", "doc": '{"a": [1, null]}', "raw": '{"b":  2}',
    "at": "2024-01-15T10:30:00.12Z", "local": "2024-01-15T10:30:00", "never": "infinity",
    "day": "2024-01-15", "clock": "10:30:00.5", "zoned": "10:30:00+02:00", "span": "P1Y2DT3H4M5S",
    "bytes": "3q2+7w==", "numbers": [1, None, 3], "grid": [[1, 2], [3, 4]],
    "texts": ["a b", None, "NULL", "q\"", ""], "labels": ["x", "y"], "moods": ["sad", "happy"],
    "times": ["2024-01-15T10:30:00Z"], "area": "(1,2.5)", "gone": None,
}


class Capture:
    """One capture process over tables of one database. A context manager, as its process is."""

    def __init__(self, stack: Stack, database: str, tables: list[str], uri: str | None = None):
        folder = Path(tempfile.mkdtemp(prefix=f"capture-{database}-", dir=stack.run_dir))
        secret = folder / "secrets" / database
        secret.mkdir(parents=True)
        (secret / "uri").write_text(uri or stack.postgres.uri(database), encoding="utf-8")
        self._config = folder / "config.json"
        self._database = database
        self._kafka = stack.kafka
        self.configure(tables)
        self._address = folder / "address"
        self.log = folder / "capture.log"
        self.process = Process("capture", [
            BINARY, "capture", "--config", str(self._config), "--secrets", str(folder / "secrets"),
            "--listen", "127.0.0.1:0", "--address-file", str(self._address)], self.log)

    def configure(self, tables: list[str]) -> None:
        self._config.write_text(json.dumps({
            "name": self._database, "namespace": "default",
            "database": {"secretRef": {"name": self._database}},
            "kafka": {"bootstrapServers": [self._kafka.address]},
            "tables": [{"table": table, "topic": self.topic(table)} for table in tables],
        }), encoding="utf-8")

    def topic(self, table: str) -> str:
        return f"{self._database}.{table}"

    def __enter__(self) -> "Capture":
        self.process.start()
        return self

    def __exit__(self, *error) -> None:
        self.process.kill()

    def get(self, path: str) -> tuple[int, str]:
        """Status 0 if nothing answers."""
        try:
            address = self._address.read_text(encoding="utf-8").strip()
            with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels. Errors: ConnectionError, it does not say."""
        status, text = self.get("/metrics")
        if status != 200:
            raise ConnectionError(f"/metrics: {status}")
        lines = text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith((name + " ", name + "{")))

    def snapshot_done(self) -> bool:
        return (self.get("/readyz")[0] == 200
                and self.metric("searchsync_capture_snapshot_tables_running") == 0)

    def records(self, table: str) -> list[tuple[dict, dict | None]]:
        topic = self.topic(table)
        count = sum(self._kafka.end_offsets(topic).values())
        if count == 0:
            return []
        return [(json.loads(key), None if value == "null" else json.loads(value))
                for key, value in self._kafka.consume(topic, count)]


def positions_of(records: list[tuple[dict, dict | None]]) -> dict[str, dict]:
    """The newest rows by position, as consumers keep them."""
    newest: dict[str, tuple[tuple[int, int], dict | None]] = {}
    for key, value in records:
        if value is None:
            continue
        place = (value["source"]["epoch"], value["source"]["lsn"])
        name = json.dumps(key)
        if name not in newest or place >= newest[name][0]:
            newest[name] = (place, value["after"])
    return {name: row for name, (_, row) in newest.items() if row is not None}


def last_of(records: list[tuple[dict, dict | None]]) -> dict[str, dict]:
    """The last row of each key, as compaction keeps them."""
    rows: dict[str, dict] = {}
    for key, value in records:
        if value is None or value["after"] is None:
            rows.pop(json.dumps(key), None)
        else:
            rows[json.dumps(key)] = value["after"]
    return rows


class Changes(threading.Thread):
    """Random transactions over the tables of a history, in one connection, until stopped."""

    def __init__(self, uri: str, seed: int):
        super().__init__(daemon=True)
        self._uri = uri
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self.transactions = 0
        self.error: BaseException | None = None

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        try:
            connection = psycopg2.connect(self._uri)
            while not self._stopping.is_set():
                try:
                    with connection, connection.cursor() as cursor:
                        cursor.execute("SET LOCAL lock_timeout = '2s'")
                        for _ in range(self._random.randrange(1, 8)):
                            self._change(cursor)
                        if self._random.random() < 0.1:
                            raise psycopg2.errors.QueryCanceled()
                    self.transactions += 1
                except psycopg2.Error as error:  # a duplicate, a deadlock, an abort on purpose
                    if connection.closed:
                        raise error
            connection.close()
        except BaseException as error:  # for stop() to raise
            self.error = error

    def _change(self, cursor) -> None:
        table = self._random.choice(["plain", "whole", "pair"])
        key = self._random.randrange(400)
        where = {"plain": "id = %(k)s", "whole": "id = %(k)s", "pair": "a = %(k)s %% 20 AND b = "
                 "(%(k)s / 20)::text"}[table]
        values = {"k": key, "n": self._random.random() * 1000, "to": self._random.randrange(400),
                  "big": self._random.choice("abc") * self._random.randrange(3000, 6000)}
        columns = "(%(k)s %% 20, (%(k)s / 20)::text" if table == "pair" else "(%(k)s"
        choice = self._random.random()
        if choice < 0.3:
            cursor.execute(f"INSERT INTO {table} VALUES {columns}, %(n)s, %(big)s) "
                           "ON CONFLICT DO NOTHING", values)
        elif choice < 0.6:
            cursor.execute(f"UPDATE {table} SET n = %(n)s WHERE {where}", values)
        elif choice < 0.75:
            cursor.execute(f"UPDATE {table} SET big = %(big)s WHERE {where}", values)
        elif choice < 0.85:
            cursor.execute(f"DELETE FROM {table} WHERE {where}", values)
        elif choice < 0.9995:
            new_key = "b = %(to)s::text" if table == "pair" else "id = %(to)s"
            cursor.execute("SAVEPOINT s")
            try:
                cursor.execute(f"UPDATE {table} SET {new_key} WHERE {where}", values)
            except psycopg2.errors.UniqueViolation:
                cursor.execute("ROLLBACK TO s")
        else:
            cursor.execute(f"TRUNCATE {table}")


class CaptureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        print(f"SEED={SEED}", file=sys.stderr)
        cls.stack = cls.enterClassContext(Stack(parts=("postgres", "kafka")))

    def wait(self, capture: Capture, condition, seconds: float = 180) -> None:
        def failure() -> str:
            return f"{capture.get('/readyz')[1]}\n{capture.log.read_text(encoding='utf-8')}"
        def holds() -> bool:
            try:
                return condition()
            except ConnectionError:
                return False
        wait_until(holds, seconds, failure)

    def test_every_type_has_its_form_in_snapshot_and_stream(self) -> None:
        postgres = self.stack.postgres
        postgres.create_database("kinds")
        postgres.execute(_TYPES, database="kinds")
        postgres.execute(_KINDS, [1], database="kinds")
        with Capture(self.stack, "kinds", ["public.kinds"]) as capture:
            self.wait(capture, capture.snapshot_done)
            postgres.execute(_KINDS, [2], database="kinds")
            self.wait(capture, lambda: len(capture.records("public.kinds")) == 2)
            read, created = sorted(capture.records("public.kinds"), key=lambda r: r[0]["id"])
        self.assertEqual(read[1]["after"], {"id": 1, **_KINDS_JSON})
        self.assertEqual(created[1]["after"], {"id": 2, **_KINDS_JSON})
        self.assertEqual((read[1]["op"], created[1]["op"]), ("r", "c"))
        self.assertEqual(created[1]["source"]["name"], "kinds")

    def test_everything_that_is_missing_is_said_at_once(self) -> None:
        postgres = self.stack.postgres
        postgres.create_database("poor")
        postgres.create_user("poor")
        postgres.execute("CREATE TABLE keyless (a int); CREATE TABLE hidden (id int PRIMARY KEY)",
                         database="poor")
        tables = ["public.keyless", "public.hidden", "public.absent"]
        with Capture(self.stack, "poor", tables, postgres.uri("poor", "poor")) as capture:
            self.wait(capture, lambda: not capture.process.running())
            log = capture.log.read_text(encoding="utf-8")
        for remedy in ("ALTER ROLE \"poor\" REPLICATION", "ADD PRIMARY KEY", "GRANT SELECT ON",
                       "\"absent\" does not exist", "CREATE PUBLICATION"):
            self.assertIn(remedy, log)
        self.assertNotIn(postgres.password("poor"), log)

    def test_topics_equal_tables_through_kills(self) -> None:
        postgres = self.stack.postgres
        uri = postgres.create_database("history")
        for table, key in (("plain", "id int PRIMARY KEY"), ("whole", "id int PRIMARY KEY"),
                           ("pair", "a int, b text")):
            more = ", PRIMARY KEY (a, b)" if table == "pair" else ""
            postgres.execute(f"CREATE TABLE {table} ({key}, n numeric, big text {more}); "
                             f"ALTER TABLE {table} ALTER big SET STORAGE EXTERNAL",
                             database="history")
        postgres.execute("ALTER TABLE whole REPLICA IDENTITY FULL; INSERT INTO plain "
                         "SELECT i, i, repeat('x', 4000) FROM generate_series(0, 20000) i",
                         database="history")
        tables = ["public.plain", "public.whole", "public.pair"]
        chance = random.Random(SEED)
        changes = [Changes(uri, SEED + i) for i in range(3)]
        for thread in changes:
            thread.start()
        with Capture(self.stack, "history", tables) as capture:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                self.wait(capture, lambda: capture.get("/readyz")[0] == 200)
                deadline = time.monotonic() + chance.uniform(0.2, 4)
                wait_until(lambda: time.monotonic() > deadline, 60, str)
                capture.process.kill()
                # A connection of the killed process may take the slot just then.
                if chance.random() < 0.25:
                    with contextlib.suppress(psycopg2.errors.ObjectInUse):
                        postgres.execute("SELECT pg_drop_replication_slot(slot_name) FROM "
                                         "pg_replication_slots WHERE database = 'history' "
                                         "AND NOT active")
                capture.process.start()
            for thread in changes:
                thread.stop()
            self.wait(capture, capture.snapshot_done)
            mark = postgres.execute("SELECT pg_current_wal_lsn()")[0][0]
            self.wait(capture, lambda: postgres.execute(
                "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name "
                "= 'searchsync_history'", [mark]) == [(True,)])
            for table in tables:
                self.compare(capture, table)
        print(f"{sum(thread.transactions for thread in changes)} transactions", file=sys.stderr)

    def compare(self, capture: Capture, table: str) -> None:
        columns = ["a", "b"] if table == "public.pair" else ["id"]
        rows = self.stack.postgres.execute(
            f"SELECT {', '.join(columns)}, n::text, big FROM {table}", database="history")
        want = {json.dumps(dict(zip(columns, row))): dict(zip([*columns, "n", "big"], row))
                for row in rows}
        records = capture.records(table)
        for name, fold in (("last", last_of(records)), ("newest", positions_of(records))):
            wrong = {key for key in want.keys() | fold.keys() if want.get(key) != fold.get(key)}
            self.assertFalse(wrong, f"{table} by {name}, SEED={SEED}: {len(wrong)} rows differ, "
                                    f"such as {sorted(wrong)[:5]}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
