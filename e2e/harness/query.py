"""The query service, as a user of its HTTP API sees it."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from e2e.servers import Process, Search, ServersError, wait_until

from .engine import Connection
from .product import BINARY

_START_SECONDS = 120


class Query:
    """One index at one query service. For one thread."""

    def __init__(self, address: str, index: str):
        self._connection = Connection(address)
        self._path = f"/v1/{index}"

    def search(self, body: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """The answer, and the milliseconds it took. Errors: it was refused."""
        began = time.perf_counter()
        status, answer = self._connection.request("POST", f"{self._path}/search", body)
        millis = 1000 * (time.perf_counter() - began)
        if status != 200:
            raise ServersError(f"query refused: {status} {answer}")
        return answer, millis

    def count(self, body: dict[str, Any]) -> int:
        """Of all documents that the body's filter finds. Errors: it was refused."""
        status, answer = self._connection.request("POST", f"{self._path}/count", body)
        if status != 200:
            raise ServersError(f"query refused: {status} {answer}")
        return answer["count"]

    def document(self, key: str) -> dict[str, Any] | None:
        """One document, as of its last write; None if there is none."""
        status, answer = self._connection.request(
            "GET", f"{self._path}/documents/{quote(key, safe='')}")
        if status not in (200, 404):
            raise ServersError(f"document {key}: {status} {answer}")
        return answer["source"] if status == 200 else None

    def close(self) -> None:
        self._connection.close()


def serve_alone(search: Search, folder: Path, index: str, mappings: dict,
                relations: list[dict] | None = None) -> tuple[Process, str]:
    """The service without the rest of the product, before an index or alias that is there; and its
    address, once it is ready. relations: to the index itself."""
    if not BINARY.exists():
        raise ServersError(f"{BINARY} is not there: run `make build`")
    folder.mkdir()
    heading = {"apiVersion": "searchsync.io/v1alpha1"}
    (folder / "config.json").write_text(json.dumps({
        "index": {**heading, "kind": "SearchIndex", "metadata": {"name": index}, "spec": {
            "elasticsearch": {"urls": [search.url]},
            "kafka": {"bootstrapServers": ["127.0.0.1:1"]}, "mappings": mappings,
            "query": {"relations": relations or []}}},
        "bindings": [{**heading, "kind": "SourceBinding", "metadata": {"name": "root"}, "spec": {
            "indexRef": {"name": index}, "source": {"kafka": {"topic": "rows"}}, "key": ["id"],
            "relation": {"root": {}}, "fields": [{"from": "id", "to": "id"}]}}],
        "related": [{"name": index, "indexName": index, "mappings": mappings}],
        "generation": 1, "generationIndex": f"{index}-1", "documentLog": "log"}), encoding="utf-8")
    address = folder / "address"
    process = Process("query", [str(BINARY), "query", "--config", str(folder / "config.json"),
                                "--address-file", str(address)], folder / "query.log")
    process.start()
    try:
        wait_until(lambda: _ready(address), _START_SECONDS, process.tail)
    except BaseException:
        process.stop()
        raise
    return process, address.read_text(encoding="ascii").strip()


def _ready(address: Path) -> bool:
    if not address.exists():
        return False
    connection = Connection(address.read_text(encoding="ascii").strip())
    try:
        return connection.request("GET", "/readyz", parse=bytes)[0] == 200
    except OSError:
        return False
    finally:
        connection.close()
