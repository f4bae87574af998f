"""A shop to ask about: users and their orders in two topics, three indices, and API keys."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from e2e.servers import Stack

from . import engine, records
from .engine import Connection
from .product import Child, SearchSync, text_of
from .resources import render, write_secret

RESOURCES = Path(__file__).parents[1] / "query"
BULK_USERS = range(1000, 1200)
BULK_ORDERS = 20_000
KEYS = {"everything": "everything-0123456789", "acme": "acme-0123456789abcdef",
         "elsewhere": "elsewhere-0123456789", "hurried": "hurried-0123456789",
         "page": "password"}  # of which docs/query.md has the hash

USERS = [
    {"id": 1, "name": "Ada", "team": "core", "bio": "wrote the first program", "active": True,
     "score": 5, "joined_at": "2024-02-01T00:00:00Z", "host": "10.0.0.1", "city": "London"},
    {"id": 2, "name": "Grace", "team": "core", "bio": "wrote the first compiler", "active": True,
     "score": 3.5, "joined_at": "2024-03-01T00:00:00Z", "host": "10.0.0.2", "city": None},
    {"id": 3, "name": "Edsger", "team": "core", "bio": "took the goto away", "active": False,
     "score": 9, "joined_at": "2024-04-01T00:00:00Z", "host": "::1", "city": None},
    {"id": 4, "name": "Frances", "team": "tools", "bio": "made every compiler faster",
     "active": True, "score": 7, "joined_at": "2024-05-01T00:00:00Z", "host": None,
     "city": "London"},
    {"id": 5, "name": "Alan", "team": "math", "bio": "asked what can be computed", "active": True,
     "score": 8, "joined_at": "2023-05-01T00:00:00Z", "host": None, "city": "Cambridge"}]
ORDERS = [
    {"id": 100, "user_id": 1, "total": 20.5, "status": "shipped", "tenant": "acme",
     "placed_at": "2024-06-01T00:00:00Z", "items": [{"sku": "apple", "quantity": 1}]},
    {"id": 101, "user_id": 1, "total": 150, "status": "open", "tenant": "acme",
     "placed_at": "2024-06-02T00:00:00Z",
     "items": [{"sku": "pear", "quantity": 1}, {"sku": "plum", "quantity": 9}]},
    {"id": 102, "user_id": 1, "total": 99.99, "status": "shipped", "tenant": "acme",
     "placed_at": "2024-06-03T00:00:00Z", "items": []},
    {"id": 200, "user_id": 2, "total": 500, "status": "open", "tenant": "beta",
     "placed_at": "2024-06-04T00:00:00Z", "items": [{"sku": "apple", "quantity": 2}]},
    {"id": 400, "user_id": 4, "total": 10, "status": "open", "tenant": "beta",
     "placed_at": "2024-06-05T00:00:00Z", "items": None}]


class Shop(contextlib.ExitStack):
    """A context manager: real servers, and searchsync over e2e/query with everything in its
    indices.

    page: docs/query.md, of which one API key is. seconds: for each step.
    """

    def __init__(self, page: str, seconds: float):
        super().__init__()
        self._page = page
        self._seconds = seconds
        self.stack: Stack
        self.product: SearchSync

    def __enter__(self) -> "Shop":
        with contextlib.ExitStack() as opened:
            self.stack = opened.enter_context(Stack(parts=("kafka", "search")))
            self._declare()
            self._fill()
            self.product = opened.enter_context(
                SearchSync(self.resources, self.stack.run_dir / "product"))
            self._wait()
            self.push(opened.pop_all())
        return self

    @property
    def resources(self) -> Path:
        return self.stack.run_dir / "resources"

    def query(self, index: str) -> Child:
        """Errors: KeyError if there is no process for it."""
        child = self.product.child(f"query-{index}")
        if child is None or not child.address:
            raise KeyError(f"query-{index}")
        return child

    def ask(self, index: str, method: str, path: str, body: Any = None,
            key: str | None = None) -> tuple[int, Any]:
        """path: after /v1/{index}. key: of KEYS, or as it is. Status, and JSON of the answer."""
        connection = Connection(self.query(index).address)
        try:
            if key is not None:
                connection.headers["Authorization"] = f"Bearer {KEYS.get(key, key)}"
            return connection.request(method, f"/v1/{index}{path}", body)
        finally:
            connection.close()

    def write(self, topic: str, rows: list[dict]) -> None:
        records.produce(self.stack.kafka, topic, [
            (json.dumps({"id": row["id"]}).encode(), json.dumps(row).encode()) for row in rows])

    def _declare(self) -> None:
        render(RESOURCES, self.resources, {
            "${SEARCH}": self.stack.search.url, "${KAFKA}": self.stack.kafka.address})
        write_secret(self.resources, "api-keys", {
            "everything": f"key: {KEYS['everything']}",
            "elsewhere": f"key: {KEYS['elsewhere']}\nindices: [{{name: orders}}]",
            "acme": json.dumps({"key": KEYS["acme"], "indices": [
                {"name": "sealed-orders", "fields": ["id", "total", "status"],
                 "filter": {"equals": {"field": "tenant", "value": "acme"}}}]}),
            "hurried": f"key: {KEYS['hurried']}\nrateLimit: {{perSecond: 1, burst: 2}}",
            "page": self._key_of_the_page()})

    def _key_of_the_page(self) -> str:
        """The entry `acme` of its Secret, for the index that has keys."""
        entry = re.search(r"^  acme: \|\n(.*?)^```", self._page, re.MULTILINE | re.DOTALL)[1]
        text = re.sub("^    ", "", entry, flags=re.MULTILINE)
        assert text.count("name: orders") == 1, text
        return text.replace("name: orders", "name: sealed-orders")

    def _fill(self) -> None:
        for topic in ("users", "orders"):
            self.stack.kafka.create_topic(topic, 2, {"cleanup.policy": "compact"})
        self.write("users", USERS + [
            {"id": number, "name": f"user {number}", "team": "bulk", "bio": "", "active": False,
             "score": 0, "joined_at": "2020-01-01T00:00:00Z", "host": None, "city": None}
            for number in BULK_USERS])
        self.write("orders", ORDERS + [
            {"id": 10_000 + number, "user_id": BULK_USERS[number % len(BULK_USERS)],
             "total": number % 50, "status": "shipped", "tenant": f"t{number % 3}",
             "placed_at": "2021-01-01T00:00:00Z", "note": "x" * 400, "items": []}
            for number in range(BULK_ORDERS)])

    def _wait(self) -> None:
        orders = len(ORDERS) + BULK_ORDERS
        for index, count in (("users", len(USERS) + len(BULK_USERS)), ("orders", orders),
                             ("sealed-orders", orders)):
            self.product.wait_served(index, self._seconds)
            self.product.wait(f"{count} documents of {index}", lambda index=index, count=count: (
                engine.count(self.stack.search, index) == count), self._seconds)
            self.product.wait(f"queries about {index}", lambda index=index: (
                text_of(self.query(index).address, "/readyz")[0] == 200), self._seconds)
