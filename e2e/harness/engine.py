"""Reading a search engine's indices as a whole, past the product."""

import http.client
import json
from typing import Any, Callable, Iterator

from e2e.servers import Search, ServersError

_PAGE = 1000


class Connection:
    """One kept-alive HTTP connection that speaks JSON; it connects anew when it was closed. For one
    thread."""

    def __init__(self, address: str, timeout: float = 30):
        self._connection = http.client.HTTPConnection(address, timeout=timeout)
        self.headers: dict[str, str] = {}  # that go with each request

    def request(self, method: str, path: str, body: Any = None,
                parse: Callable[[bytes], Any] = json.loads) -> tuple[int, Any]:
        """body: bytes as they are, or a value to send as JSON. Errors: OSError."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(self.headers)
        if data is not None:
            headers["Content-Type"] = "application/json"
        fresh = self._connection.sock is None
        try:
            return self._once(method, path, data, headers, parse)
        except (http.client.HTTPException, ConnectionError) as error:
            self._connection.close()
            if fresh:
                raise ConnectionError(f"{method} {path}: {error!r}") from error
        except BaseException:
            self._connection.close()
            raise
        return self._once(method, path, data, headers, parse)

    def close(self) -> None:
        self._connection.close()

    def _once(self, method, path, data, headers, parse) -> tuple[int, Any]:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        return answer.status, parse(text) if text else None


def documents(search: Search, index: str,
              parse: Callable[[bytes], Any] = json.loads) -> Iterator[tuple[str, dict]]:
    """Every document of the index with its id, as of now."""
    connection = Connection(search.address, timeout=60)
    _ask(connection, "POST", f"/{index}/_refresh")
    page = _ask(connection, "POST", f"/{index}/_search?scroll=2m",
                {"size": _PAGE, "sort": ["_doc"], "query": {"match_all": {}}}, parse)
    while page["hits"]["hits"]:
        for hit in page["hits"]["hits"]:
            yield hit["_id"], hit["_source"]
        page = _ask(connection, "POST", "/_search/scroll",
                    {"scroll": "2m", "scroll_id": page["_scroll_id"]}, parse)
    _ask(connection, "DELETE", "/_search/scroll", {"scroll_id": [page["_scroll_id"]]})
    connection.close()


def count(search: Search, index: str) -> int:
    """Documents that can be found; 0 if there is no such index."""
    status, answer = search.request("GET", f"/{index}/_count")
    return answer["count"] if status == 200 else 0


def source(search: Search, index: str, document: str) -> dict | None:
    """One document, as of now; None if there is none."""
    status, answer = search.request("GET", f"/{index}/_doc/{document}")
    return answer["_source"] if status == 200 else None


def writes(search: Search, pattern: str) -> int:
    """A number that grows with each document that any matching index writes, deletes or refuses."""
    status, answer = search.request("GET", f"/{pattern}/_stats/indexing")
    if status != 200:
        raise ServersError(f"_stats of {pattern}: {status} {answer}")
    total = answer["_all"]["primaries"].get("indexing", {})
    return sum(total.get(name, 0) for name in ("index_total", "delete_total", "index_failed"))


def _ask(connection: Connection, method: str, path: str, body: Any = None,
         parse: Callable[[bytes], Any] = json.loads) -> Any:
    status, answer = connection.request(method, path, body, parse)
    if status >= 300:
        raise ServersError(f"{method} {path}: {status} {answer}")
    return answer
