"""Sending events over HTTP, as those do who have some."""

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Any

from e2e.servers import ServersError

from .product import SearchSync


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """Of an error."""
        return self.body["error"]["code"]


# The service closes connections that are idle for longer.
IDLE_SECONDS_MAX = 5.0


class Sender:
    """One kept-alive connection to whoever takes the events of a binding. For one thread.

    address: where that is; without it, wherever the status says whenever it connects."""

    def __init__(self, product: SearchSync, binding: str, token: str | None = None,
                 tls: ssl.SSLContext | None = None, address: tuple[str, int] | None = None):
        self._product = product
        self._binding = binding
        self._token = token
        self._tls = tls
        self._address = address
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def address(self) -> tuple[str, int]:
        """Where events are taken now, as the status says. Errors: KeyError, it does not say."""
        message = self._product.binding(self._binding)["message"]
        scheme = "https" if self._tls else "http"
        start = f"events are taken at {scheme}://"
        if not message.startswith(start):
            raise KeyError(message)
        host, port = message.removeprefix(start).split("/", 1)[0].rsplit(":", 1)
        return host, int(port)

    def send(self, path: str, body: Any = None, method: str = "POST",
             **headers: str) -> Answer:
        """body: bytes or text as they are, or a value to send as JSON. Underscores in names of
        headers become dashes. Errors: OSError, KeyError: there is no answer; the next call
        connects anew."""
        data = (body.encode() if isinstance(body, str) else body
                if body is None or isinstance(body, bytes) else json.dumps(body).encode())
        sent = {"Content-Type": "application/json"} if data is not None else {}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if time.monotonic() - self._used > IDLE_SECONDS_MAX:
            self.close()
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, path, data, sent)
            answer = self._connection.getresponse()
            text = answer.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        return Answer(answer.status, json.loads(text) if text else None,
                      {name.lower(): value for name, value in answer.getheaders()})

    def take(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
        """As send(), of what must be taken: the body of the answer."""
        answer = self.send(path, body, method, **headers)
        if answer.status != 202:
            raise ServersError(f"{method} {path}: {answer}")
        return answer.body

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address or self.address()
        if self._tls:
            return http.client.HTTPSConnection(host, port, timeout=30, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=30)
