"""The query service, as a user of its HTTP API sees it."""

import time
from typing import Any
from urllib.parse import quote

from e2e.servers import ServersError

from .engine import Connection


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

    def document(self, key: str) -> dict[str, Any] | None:
        """One document, as of its last write; None if there is none."""
        status, answer = self._connection.request(
            "GET", f"{self._path}/documents/{quote(key, safe='')}")
        if status not in (200, 404):
            raise ServersError(f"document {key}: {status} {answer}")
        return answer["source"] if status == 200 else None

    def close(self) -> None:
        self._connection.close()
