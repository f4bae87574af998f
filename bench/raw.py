"""What the search engine can take from a client that does nothing but send `_bulk` requests."""

import json
import random
import threading
import time
from dataclasses import dataclass
from typing import Any, Iterable, Iterator

from e2e.harness.engine import Connection
from e2e.servers import Search, ServersError

_BODY_BYTES = 5 * 1024 * 1024
_CONNECTIONS = 2

# Documents of some 500 bytes, the size that other projects publish figures for.
SMALL_MAPPINGS = {"dynamic": "strict", "properties": {
    **{f"name{i}": {"type": "keyword"} for i in range(8)},
    "count": {"type": "long"}, "ratio": {"type": "double"}, "at": {"type": "date"},
    "text": {"type": "text"}}}


@dataclass(frozen=True)
class Rate:
    documents: int
    seconds: float
    engine_cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.documents / self.seconds

    @property
    def engine_micros(self) -> float:
        """Of CPU, a document."""
        return 1e6 * self.engine_cpu_seconds / self.documents


def small_documents(count: int, rng: random.Random) -> Iterable[tuple[str, dict]]:
    for number in range(count):
        yield str(number), {
            **{f"name{i}": f"name-{rng.randrange(1000):04}-{rng.getrandbits(32)}"
               for i in range(8)},
            "count": number, "ratio": rng.random(), "at": "2024-01-15T10:30:00Z",
            "text": " ".join(rng.choices(("socket", "timeout", "retry", "login", "cache"), k=28))}


def write(search: Search, name: str, mappings: dict,
          documents: Iterable[tuple[str, dict]]) -> None:
    """Writes them into a new index, which stays. Errors: a document was not taken."""
    _create(search, name, mappings, {})
    _send_all(search, name, (body for body, _ in _bodies(documents)))


def measure(search: Search, name: str, mappings: dict, documents: Iterable[tuple[str, dict]],
            settings: dict[str, Any] | None = None) -> Rate:
    """Writes them into a new index, which is removed afterwards; bodies are made before the clock
    starts. Errors: a document was not taken."""
    bodies = list(_bodies(documents))
    _create(search, name, mappings, settings or {})
    cpu, began = search.cpu_seconds(), time.monotonic()
    _send_all(search, name, (body for body, _ in bodies))
    seconds = time.monotonic() - began
    used = search.cpu_seconds() - cpu
    search.request("DELETE", f"/{name}")
    return Rate(sum(count for _, count in bodies), seconds, used)


def _create(search: Search, name: str, mappings: dict, settings: dict) -> None:
    status, answer = search.request("PUT", f"/{name}", {
        "mappings": mappings,
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, **settings}})
    if status != 200:
        raise ServersError(f"index {name}: {answer}")


def _bodies(documents: Iterable[tuple[str, dict]]) -> Iterator[tuple[bytes, int]]:
    """With the number of documents in each."""
    lines, size = [], 0
    for key, document in documents:
        action = {"index": {"_id": key, "version": 1, "version_type": "external_gte"}}
        line = f"{json.dumps(action)}\n{json.dumps(document, ensure_ascii=False)}\n".encode()
        lines.append(line)
        size += len(line)
        if size >= _BODY_BYTES:
            yield b"".join(lines), len(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines), len(lines)


def _send_all(search: Search, name: str, bodies: Iterator[bytes]) -> None:
    """Each connection takes the next body as soon as it is free."""
    failures = []
    lock = threading.Lock()

    def send() -> None:
        connection = Connection(search.address, timeout=120)
        while not failures:
            with lock:
                body = next(bodies, None)
            if body is None:
                return
            status, answer = connection.request(
                "POST", f"/{name}/_bulk?filter_path=errors,items.*.error", body)
            if status != 200 or answer["errors"]:
                failures.append(str(answer)[:500])
    threads = [threading.Thread(target=send, daemon=True) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise ServersError(f"_bulk: {failures[0]}")
