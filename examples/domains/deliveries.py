"""Delivery events of domains: made, sent until they are acknowledged, and folded by a plain loop."""

import http.client
import json
import random
import sys
import time
from typing import Any
from urllib.parse import quote, urlsplit

CATCH_ALL = 1000  # deliveries that are not yet enough


class Deliveries:
    """A stream of events, one sender's, over one connection. Its domains are its own: so it knows
    what became of them. For one thread.

    url: where events are taken, as http://host:port. fold: by domain, of all that was acknowledged.
    """

    def __init__(self, url: str, domains: int, seed: int, sender: int = 0):
        self.url = url
        self.fold: dict[str, dict[str, Any]] = {}
        self.sent = 0
        self.again = 0        # events that were sent twice, on purpose
        self.unanswered = 0   # batches that were sent once more
        self._domains = domains
        self._sender = sender
        self._random = random.Random(f"{seed} {sender}")
        self._ids = f"{seed}-{sender}-{time.time_ns()}"
        self._number = 0
        self._recent: list[dict[str, str]] = []
        self._counted: set[str] = set()
        self._connection: http.client.HTTPConnection | None = None

    def send(self, count: int, seconds: float = 120) -> None:
        """A batch. Errors: TimeoutError, it was not acknowledged in time; ValueError, refused."""
        events = [self._event() for _ in range(count)]
        body = json.dumps(events)
        deadline = time.monotonic() + seconds
        while not self._acknowledged(body):
            self.unanswered += 1
            if self.unanswered % 50 == 1:  # every few seconds
                print(f"{self.url} does not take events; they are sent again", file=sys.stderr)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.url} did not acknowledge {count} events")
            time.sleep(0.1)
        for event in events:
            self._add(event)
        self.sent += count

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _acknowledged(self, body: str) -> bool:
        """Sent again, an event is no second one: it has an id."""
        try:
            if self._connection is None:
                place = urlsplit(self.url)
                self._connection = http.client.HTTPConnection(place.hostname, place.port,
                                                              timeout=30)
            self._connection.request("POST", "/events?receipts=none", body,
                                     {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return False
        if answer.status not in (202, 429, 503):
            raise ValueError(f"{answer.status} {text[:1000]!r}")
        return answer.status == 202

    def _event(self) -> dict[str, str]:
        if self._recent and self._random.random() < 0.02:
            self.again += 1
            return self._random.choice(self._recent)
        # A few domains get most of the mail, and every third one bounces now and then.
        rank = int(self._random.paretovariate(0.5)) % self._domains
        bounces = 0.02 if rank % 3 == 2 else 0
        self._number += 1
        event = {"event_id": f"{self._ids}-{self._number}",
                 "domain": f"d{rank}.s{self._sender}.example",
                 "type": "bounced" if self._random.random() < bounces else "delivered"}
        self._recent = (self._recent + [event])[-200:]
        return event

    def _add(self, event: dict[str, str]) -> None:
        if event["event_id"] in self._counted:
            return
        self._counted.add(event["event_id"])
        row = self.fold.setdefault(event["domain"],
                                   {"delivered": 0, "bounced": 0, "status": "unknown"})
        row[event["type"]] += 1
        if row["bounced"] > 0:
            row["status"] = "not-catch-all"
        elif row["delivered"] > CATCH_ALL:
            row["status"] = "catch-all"


def differences(url: str, fold: dict[str, dict[str, Any]]) -> list[str]:
    """Of the documents at a query service from the fold, a line each."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    found = []
    for domain, want in sorted(fold.items()):
        connection.request("GET", f"/v1/domains/documents/{quote(domain, safe='')}")
        answer = connection.getresponse()
        text = answer.read()
        got = json.loads(text)["source"] if answer.status == 200 else {}
        if {name: got.get(name) for name in want} != want:
            found.append(f"{domain}: {want} was acknowledged, {answer.status} {text.decode()}")
    connection.close()
    return found
