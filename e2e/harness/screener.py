"""The screener on the servers of a run: databases, generator, resources, and when all is quiet."""

import http.client
import itertools
import sys
import time
from pathlib import Path
from typing import Callable, Mapping

import psycopg2.extensions

from e2e.servers import ServersError, Stack

from . import engine
from .product import SearchSync
from .resources import render, write_secret

EXAMPLE = Path(__file__).parents[2] / "examples" / "screener"
sys.path.append(str(EXAMPLE))
from screener import SERVICES, Generator  # noqa: E402  (the example is no package of ours)

INDEX = "test-runs"
_STILL_SECONDS = 6.0  # a status may be older than 2 s

# One row of each service that nothing else touches: table, key column, key, and the column and the
# field of the document where a mark shows. The run comes last: it refers to the others.
_MARKER = "marker"
_MARKERS = (
    ("user", "owners", "id", -1, "email", "owner"),
    ("bug", "bugs", "id", _MARKER, "status", "bugStatus"),
    ("mutation", "mutations", "id", "00000000-0000-0000-0000-000000000000", "state",
     "mutationState"),
    ("image", "images", "id", _MARKER, "tag", "imageTag"),
    ("project", "changelists", "id", _MARKER, "title", "changelistTitle"),
    ("workspace", "workspaces", "id", _MARKER, "hostname", "workspaceHostname"),
    ("test", "test_runs", "id", _MARKER, "test_name", "testName"),
)
_NOT_NULL = {"workspaces": {"status": "READY"},
             "test_runs": {"status": "PASSED", "created_at": "2024-01-15T10:30:00Z",
                           "updated_at": "2024-01-15T10:30:00Z", "owner_id": -1, "bug_id": _MARKER,
                           "mutation_id": "00000000-0000-0000-0000-000000000000",
                           "image_id": _MARKER, "changelist_id": _MARKER,
                           "workspace_id": _MARKER}}


class Screener:
    """seed: of the generator, whose databases are made here, with tables but no rows.

    folder: for resources and secrets. replacements: further texts to replace in the resources.
    The generator has connections of its own; it is for one thread, the rest of this for another.
    """

    def __init__(self, stack: Stack, folder: Path, seed: int,
                 replacements: Mapping[str, str] | None = None):
        self.stack = stack
        self.resources = folder
        for service in SERVICES:
            stack.postgres.create_database(service)
            write_secret(folder, f"{service}-db", {"uri": stack.postgres.uri(service)})
        render(EXAMPLE / "resources", folder, {
            "http://localhost:9200": stack.search.url,
            "localhost:9092": stack.kafka.address,
            **(replacements or {})})
        self._generators: list[psycopg2.extensions.connection] = []
        self.generator = self._new_generator(seed)
        self.generator.create_schema()
        self._marks = itertools.count(1)
        self._marked = False

    def connect(self, service: str) -> psycopg2.extensions.connection:
        """In autocommit mode; the caller closes it."""
        return self.stack.postgres.connect(service)

    def mark(self) -> str:
        """Writes a new mark into all seven databases."""
        mark = f"mark-{next(self._marks)}"
        for service, table, key, value, column, _ in _MARKERS:
            row = {key: value, column: mark, **_NOT_NULL.get(table, {})}
            self.stack.postgres.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
                f" ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}",
                list(row.values()), service)
        return mark

    def marked(self, mark: str) -> bool:
        """Whether the mark shows in the document from all seven."""
        document = engine.source(self.stack.search, INDEX, _MARKER)
        return document is not None and all(document.get(entry[-1]) == mark for entry in _MARKERS)

    def wait_mark(self, product: SearchSync, seconds: float) -> None:
        mark = self.mark()
        product.wait(f"{mark} from all seven databases", lambda: self.marked(mark), seconds)

    def wait_quiet(self, product: SearchSync, seconds: float) -> None:
        """Until all that was committed before is in the index: a mark has come through from each
        database, nothing lags, and for a while no document was written."""
        deadline = time.monotonic() + seconds
        self.wait_mark(product, seconds)
        product.wait("quiet", Still(lambda: self._activity(product)),
                     max(deadline - time.monotonic(), 2 * _STILL_SECONDS))

    def _activity(self, product: SearchSync) -> tuple | None:
        """What changes as long as anything goes on; None if something surely does."""
        status = product.status()
        lags = [item.get("lagRecords") for item in status["indices"] + status["bindings"]]
        if any(lag != 0 for lag in lags):
            return None
        return (engine.writes(self.stack.search, f"{INDEX}-*"),)

    def _new_generator(self, seed: int) -> Generator:
        connections = {service: self.connect(service) for service in SERVICES}
        return Generator(seed, connections)


class Still:
    """Whether a value is not None and has not changed for a while. Called again and again."""

    def __init__(self, value: Callable[[], tuple | None], seconds: float = _STILL_SECONDS):
        self._value = value
        self._seconds = seconds
        self._last: tuple | None = None
        self._since = 0.0

    def __call__(self) -> bool:
        try:
            now = self._value()
        except (OSError, ServersError, http.client.HTTPException, KeyError):
            now = None
        if now is None or now != self._last:
            self._last, self._since = now, time.monotonic()
            return False
        return time.monotonic() - self._since >= self._seconds
