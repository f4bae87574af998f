"""The shop of examples/database on the servers of a run."""

import json
import sys
from pathlib import Path
from typing import Any

from e2e import database_oracle as oracle
from e2e.servers import ServersError, Stack, ports

from . import engine
from .engine import Connection
from .resources import render, write_secret

EXAMPLE = Path(__file__).parents[2] / "examples" / "database"
DATABASE = "shop"

# Those that can be kept, by path of queries: the table, as SQL has it.
TABLES = {"users": "users", "products": "products", "orders": "orders",
          "order_items": "order_items", "reviews": "reviews", "stock_moves": "stock_moves",
          "staff.employees": "staff.employees", "staff.desks": "staff.desks"}


def index_of(path: str) -> str:
    """A table's SearchIndex, and its alias. path: of queries."""
    return "shop-" + path.replace("_", "-").replace(".", "--")


def generator_of_the_example():
    """Its class: the example is no package of ours."""
    sys.path.insert(0, str(EXAMPLE))  # other examples have a generate.py, too
    try:
        from generate import Generator  # pylint: disable=import-outside-toplevel
    finally:
        sys.path.remove(str(EXAMPLE))
    return Generator


class Shop:
    """seed: of the generator, whose tables are made here, without rows. The generator has a
    connection of its own; it is for one thread, the rest of this for another."""

    def __init__(self, stack: Stack, folder: Path, seed: int):
        self.stack = stack
        self.resources = folder
        stack.postgres.create_database(DATABASE)
        write_secret(folder, "shop-db", {"uri": stack.postgres.uri(DATABASE)})
        self.query = f"127.0.0.1:{ports.take()}"
        render(EXAMPLE / "resources", folder, {
            "http://localhost:9200": stack.search.url, "localhost:9092": stack.kafka.address,
            "port: 8081": f"port: {self.query.split(':')[1]}"})
        self.generator = generator_of_the_example()(seed, self.connect())
        self.generator.create_schema()

    def connect(self):
        """In autocommit mode; the caller closes it."""
        return self.stack.postgres.connect(DATABASE)

    def sql(self, text: str) -> list[tuple]:
        return self.stack.postgres.execute(text, None, DATABASE)

    def documents(self, alias: str, parse):
        return engine.documents(self.stack.search, alias, parse)

    def differences(self, connection, tables: dict[str, str]) -> list[str]:
        """Of the documents of these tables from their rows, a few. Errors: ServersError, also
        where an index is replaced just now."""
        return [one for path, table in tables.items() for one in oracle.differences(
            connection, table, self.documents(index_of(path), oracle.parse))]

    def ask(self, method: str, path: str, body: Any = None, parse=json.loads) -> tuple[int, Any]:
        """The one query service of all tables. Errors: OSError."""
        connection = Connection(self.query)
        try:
            return connection.request(method, path, body, parse)
        finally:
            connection.close()

    def hits(self, table: str, body: dict) -> list[dict]:
        """The documents that a search finds."""
        status, answer = self.ask("POST", f"/v1/{table}/search", body)
        if status != 200:
            raise ServersError(f"{table}: {status} {answer}")
        return [hit["source"] for hit in answer["hits"]]
