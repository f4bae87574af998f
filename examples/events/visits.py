"""What visitors of shops do, as events: most are of now, one in ten comes late, by up to three
days, and one in twenty comes twice.
"""

import datetime
import json
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

_KINDS = ("view",) * 12 + ("cart",) * 4 + ("purchase",) * 3 + ("return",)


def make_event(chance: random.Random, now: datetime.datetime) -> dict[str, Any]:
    late = chance.random() < 0.1
    at = now - datetime.timedelta(hours=chance.uniform(0, 72) if late else 0)
    return {"event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "user_id": f"user-{chance.randrange(1000)}",
            "product_id": f"product-{chance.randrange(200)}",
            "store_id": f"store-{chance.randrange(10)}",
            "event_type": chance.choice(_KINDS),
            "timestamp": at.isoformat(timespec="milliseconds")}


def make_batch(chance: random.Random, now: datetime.datetime, size: int) -> list[dict[str, Any]]:
    events = [make_event(chance, now) for _ in range(size)]
    return events + [event for event in events if chance.random() < 0.05]


def send(url: str, events: list[dict[str, Any]]) -> None:
    """Until Kafka has them. Errors: they are refused for good."""
    request = urllib.request.Request(f"{url}/events?receipts=none", json.dumps(events).encode(),
                                     {"Content-Type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30):
                return
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
        except OSError:
            pass
        print(f"{url} does not take events; they are sent again", file=sys.stderr)
        time.sleep(1)  # the same events again: their ids make them the same documents
