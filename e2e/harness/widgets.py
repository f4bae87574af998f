"""examples/widgets on the servers of a run, and a user of its commands."""

import http.client
import json
import time
from pathlib import Path
from typing import Any, Mapping

from e2e.servers import Stack

from .resources import render, write_secret
from .sender import IDLE_SECONDS_MAX

EXAMPLE = Path(__file__).parents[2] / "examples" / "widgets"
INDEX = "widgets"
ROLE = "widgets_api"


def declare_widgets(stack: Stack, folder: Path,
                    replacements: Mapping[str, str] | None = None) -> None:
    """Database and role are made; resources and secrets written into the folder.
    replacements: further texts to replace in the resources."""
    postgres = stack.postgres
    postgres.create_user(ROLE)
    postgres.create_database("widgets")
    postgres.execute((EXAMPLE / "schema" / "widgets.sql").read_text(encoding="utf-8"),
                     database="widgets")
    render(EXAMPLE / "resources", folder, {"http://localhost:9200": stack.search.url,
                                           "localhost:9092": stack.kafka.address,
                                           **(replacements or {})})
    write_secret(folder, "widgets-db", {"uri": postgres.uri("widgets")})
    write_secret(folder, "widgets-commands", {"uri": postgres.uri("widgets", ROLE)})


class Client:
    """One connection to the query service; for one thread. Errors: OSError, HTTPException; then it
    connects anew."""

    def __init__(self, address: str):
        self._connection = http.client.HTTPConnection(address, timeout=60)
        self._used = 0.0

    def request(self, method: str, path: str, body: Any = None,
                headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        """Status, JSON of the answer (None: empty) and its headers."""
        data = None if body is None else json.dumps(body)
        if time.monotonic() - self._used > IDLE_SECONDS_MAX:
            self._connection.close()  # the next request connects anew
        try:
            self._connection.request(method, path, data, headers or {})
            answer = self._connection.getresponse()
            text = answer.read()
            self._used = time.monotonic()
        except BaseException:
            self._connection.close()
            raise
        return answer.status, json.loads(text) if text else None, answer.headers

    def call(self, function: str, **arguments: Any) -> tuple[int, Any, str]:
        """Status, answer and token."""
        status, answer, headers = self.request("POST", f"/rpc/{function}", arguments)
        return status, answer, headers["SearchSync-Token"]

    def find(self, serial: str, token: str, wait: int = 15_000) -> tuple[bool, list[dict]]:
        """Whether the token was reached, and the widgets of that serial, by search."""
        status, answer, headers = self.request(
            "POST", f"/v1/{INDEX}/search",
            {"filter": {"equals": {"field": "serial", "value": serial}}},
            {"SearchSync-Token": token, "SearchSync-Token-Wait": str(wait)})
        assert status == 200, answer
        reached = headers["SearchSync-Token-Reached"]
        assert reached in ("true", "false"), headers
        assert (reached == "true") == (headers["SearchSync-Token-Missing"] is None), headers
        return reached == "true", [hit["source"] for hit in answer["hits"]]

    def close(self) -> None:
        self._connection.close()
