"""Fills the seven databases, and changes them."""

import contextlib
import datetime
import io
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, Mapping

import psycopg2.extensions

from . import changes, values
from .keys import Key
from .tables import SERVICES, TABLES, Rows

SCHEMA_FOLDER = Path(__file__).parent.parent / "schema"

# What the first rows of some tables say, so that the example's own query finds something.
_FIRST = {
    "test_runs": {"test_name": "auth_login_test", "status": "FAILED", "suite_id": 1,
                  "platform_id": 1, "owner_id": 1, "bug_id": "BUG-6789", "image_id": "img-abc123",
                  "changelist_id": "CL-98765", "workspace_id": "ws-xyz789"},
    "test_suites": {"owner_id": 1},
    "owners": {"team_id": 1, "personality_id": 1},
    "bugs": {"status": "OPEN", "severity": "P1", "assignee_id": 1},
    "builds": {"status": "SUCCESS"},
    "images": {"build_id": 1},
    "changelists": {"project_id": 1, "primary_branch_id": 1},
    "workspaces": {"hostname": "worker-node-03"},
}
_COPY_ROWS = 2000


class Transaction:
    """One transaction in one service's database."""

    def __init__(self, cursor):
        self._cursor = cursor

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row.values())

    def update(self, table: str, key: Key, **columns: Any) -> None:
        """Sets these columns only: the others stay as they are, also those stored out of line."""
        sets = ", ".join(f"{name} = %s" for name in columns)
        self.execute(f"UPDATE {table} SET {sets} WHERE {_where(table)}", [*columns.values(), *key])

    def delete(self, table: str, key: Key) -> None:
        self.execute(f"DELETE FROM {table} WHERE {_where(table)}", key)

    def execute(self, sql: str, parameters=()) -> None:
        self._cursor.execute(sql, [values.literal(value) for value in parameters])


class Generator:
    """Rows and changes from a seed: the same seed, time and number of rows give the same history,
    as long as one thread uses it and nobody else changes the databases.

    connections: by service (tables.SERVICES), to its database; used by this object alone.
    now: the time that everything looks back from; the present hour if not given.
    """

    def __init__(self, seed: int, connections: Mapping[str, psycopg2.extensions.connection],
                 now: datetime.datetime | None = None):
        if now is None:
            now = datetime.datetime.now(datetime.timezone.utc)
            now = now.replace(minute=0, second=0, microsecond=0)
        self.rng = random.Random(seed)
        self.rows = Rows(self.rng, now)
        self.pools = self.rows.pools
        self._connections = connections
        for connection in connections.values():
            connection.autocommit = False

    def create_schema(self) -> None:
        for service in SERVICES:
            sql = (SCHEMA_FOLDER / f"{service}.sql").read_text(encoding="utf-8")
            with self.transaction(service) as transaction:
                transaction.execute(sql)

    def load(self, runs: int = 20_000) -> Counter:
        """Fills empty tables; the number of rows of each."""
        loaded = Counter()
        for table, kind in TABLES.items():
            lines, first = [], _FIRST.get(table, {})
            for _ in range(kind.count(runs)):
                key = self.new_key(table)
                row = self.rows.make(table, key, **first)
                self.pools[table].add(key)
                lines.append(values.copy_line(list(row.values())))
                loaded[table] += 1
                first = {}
                if len(lines) == _COPY_ROWS:
                    self._copy(table, list(row), lines)
                    lines = []
            if lines:
                self._copy(table, list(row), lines)
        return loaded

    def resume(self) -> None:
        """Learns the keys of the rows that are there, to change what another run has loaded."""
        for table, kind in TABLES.items():
            pool = self.pools[table]
            columns = ", ".join(f"{name}::text" if table == "mutations" else name
                                for name in kind.key)
            connection = self._connections[kind.service]
            with connection, connection.cursor() as cursor:
                cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {', '.join(kind.key)}")
                for key in cursor:
                    pool.add(key)
            # New rows are numbered past all these and those that were deleted meanwhile.
            pool.skip_numbers(10 * len(pool) + 1_000_000)

    def change(self) -> str:
        """Makes one random change; the name of its kind."""
        kind = self.rng.choices(changes.KINDS, changes.WEIGHTS)[0]
        kind(self)
        return kind.__name__

    def run(self, per_second: float, count: int | None = None,
            stop: threading.Event | None = None) -> Counter:
        """Makes changes at this rate until there were `count`, or `stop` is set; how many of each
        kind. If the databases are slower than the rate, it goes on as fast as they do."""
        made, stop, due = Counter(), stop or threading.Event(), time.monotonic()
        while not stop.is_set() and (count is None or made.total() < count):
            made[self.change()] += 1
            due = max(due + 1 / per_second, time.monotonic() - 1)
            stop.wait(max(0.0, due - time.monotonic()))
        return made

    @contextlib.contextmanager
    def transaction(self, service: str) -> Iterator[Transaction]:
        """Commits at the end. An exception rolls back; changes.RolledBack goes no further."""
        connection = self._connections[service]
        try:
            with connection, connection.cursor() as cursor:
                yield Transaction(cursor)
        except changes.RolledBack:
            pass

    def new_key(self, table: str) -> Key:
        while True:
            key = TABLES[table].new_key(self.rows)
            if key not in self.pools[table]:
                return key

    def insert(self, table: str, key: Key, **fixed: Any) -> None:
        """A whole new row, in a transaction of its own."""
        with self.transaction(TABLES[table].service) as transaction:
            transaction.insert(table, self.rows.make(table, key, **fixed))
        self.pools[table].add(key)

    def update(self, table: str, key: Key, **columns: Any) -> None:
        with self.transaction(TABLES[table].service) as transaction:
            transaction.update(table, key, **columns)

    def delete(self, table: str, key: Key) -> None:
        with self.transaction(TABLES[table].service) as transaction:
            transaction.delete(table, key)
        self.pools[table].remove(key)

    def _copy(self, table: str, columns: list[str], lines: list[str]) -> None:
        connection = self._connections[TABLES[table].service]
        with connection, connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN",
                               io.StringIO("".join(lines)))


def _where(table: str) -> str:
    return " AND ".join(f"{name} = %s" for name in TABLES[table].key)
