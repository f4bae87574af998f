"""An API server, asked as fast as it answers."""

import base64
import http.client
import json
import re
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

from e2e.servers import ServersError, wait_until

_IDLE_SECONDS = 30  # after which the server may end a connection
_AT_ONCE = 8
_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


class Api:
    """Each thread has a connection of its own."""

    def __init__(self, kubeconfig: Path):
        text = kubeconfig.read_text(encoding="ascii")
        self._address = re.search(r"server: https://(\S+)", text)[1]
        self._token = re.search(r"token: (\S+)", text)[1]
        authority = re.search(r"certificate-authority-data: (\S+)", text)[1]
        self._context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        self._local = threading.local()

    def connect(self, timeout: float | None = 60) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, timeout=timeout, context=self._context)

    def headers(self, **others: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "User-Agent": "bench", **others}

    def request(self, method: str, path: str, body: Any = None,
                form: str = "application/json") -> dict[str, Any]:
        """Errors: the server refuses it."""
        connection, used = getattr(self._local, "connection", (None, 0))
        if time.monotonic() - used > _IDLE_SECONDS:
            connection = self.connect()
        self._local.connection = connection, time.monotonic()
        connection.request(method, path, None if body is None else json.dumps(body),
                           self.headers(**{"Content-Type": form}))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise ServersError(f"{method} {path}: {answer.status}: {text[:500]!r}")
        return json.loads(text)

    def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        return self.request("PATCH", path, patch, "application/merge-patch+json")

    def create_all(self, objects: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """objects: each with the path of its collection."""
        self.do_all(lambda one: self.request("POST", *one), objects)

    @staticmethod
    def do_all(what: Callable[[Any], Any], items: Iterable[Any]) -> None:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for _ in pool.map(what, items):
                pass


class Follower:
    """Those objects of a collection of which a condition holds, as a context manager: kept up to
    date inside it.

    whole: the condition looks at more than metadata.
    since: when it became true, in seconds since 1970, by "namespace/name".
    """

    def __init__(self, api: Api, path: str, condition: Callable[[dict[str, Any]], bool], *,
                 selector: str = "", whole: bool = True):
        self._api = api
        self._path = f"{path}?labelSelector={selector}&"
        self._condition = condition
        self._form = "application/json" if whole else _METADATA.format("List"), (
            "application/json" if whole else _METADATA.format(""))
        self.since: dict[str, float] = {}
        self._connection = api.connect(timeout=None)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._leaving = threading.Event()
        self._failure: Exception | None = None

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._leaving.set()
        if self._connection.sock is not None:
            self._connection.sock.shutdown(2)
        self._thread.join()

    def wait(self, count: int, seconds: float, check: Callable[[], None] = lambda: None) -> float:
        """Until it holds of so many; since when. check: raises if there is no use in waiting."""
        def holds() -> bool:
            check()
            if self._failure is not None:
                raise ServersError(f"{self._path}: {self._failure!r}") from self._failure
            return len(self.since) >= count
        wait_until(holds, seconds, lambda: f"{self._path}: {len(self.since)} of {count} after "
                                           f"{seconds} s")
        return max(self.since.values())

    def _follow(self) -> None:
        try:
            for event in self._events():
                self._take(event["type"], event["object"])
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            if not self._leaving.is_set():
                self._failure = error

    def _events(self) -> Iterator[dict[str, Any]]:
        self._connection.request("GET", self._path, headers=self._api.headers(Accept=self._form[0]))
        listed = json.loads(self._connection.getresponse().read())
        yield from ({"type": "ADDED", "object": one} for one in listed["items"] or ())
        version = listed["metadata"]["resourceVersion"]
        self._connection.request(
            "GET", f"{self._path}watch=true&timeoutSeconds=3600&resourceVersion={version}",
            headers=self._api.headers(Accept=self._form[1]))
        for line in self._connection.getresponse():
            yield json.loads(line)

    def _take(self, kind: str, one: dict[str, Any]) -> None:
        name = f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}"
        if kind == "DELETED" or not self._condition(one):
            self.since.pop(name, None)
        else:
            self.since.setdefault(name, time.time())
