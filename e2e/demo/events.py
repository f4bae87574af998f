"""Events: an index a day, and queries that ask only the days they need.

DEMO_EVENTS is the number of events (20000).
"""

import datetime
import os
import random
import statistics
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from e2e.demo.show import milliseconds_until, pretty, say, stay, wait_served
from e2e.harness import SearchSync, render
from e2e.harness.query import Query
from e2e.harness.sender import Sender
from e2e.servers import ServersError, Stack

_EXAMPLE = Path(__file__).parents[2] / "examples" / "events"
sys.path.append(str(_EXAMPLE))
from visits import make_batch, send  # noqa: E402  (the example is no package of ours)

PARTS = ("kafka", "search")
EVENTS = int(os.environ.get("DEMO_EVENTS") or 20_000)

_INDICES = ("events", "timelines")
_BATCH = 500
_SECONDS = 180


def show(stack: Stack) -> None:
    resources = stack.run_dir / "resources"
    render(_EXAMPLE / "resources", resources, {"http://localhost:9200": stack.search.url,
                                               "localhost:9092": stack.kafka.address})
    with SearchSync(resources, stack.run_dir / "product") as product:
        say(f"searchsync runs {resources}; status: http://{product.address}/status")
        for index in _INDICES:
            wait_served(stack, product, index)
        product.wait_ready("ingest")
        events = "http://{}:{}".format(*Sender(product, "event").address())
        product.wait("a query service for each", lambda: (
            len(product.children("query")) == len(_INDICES)), _SECONDS)
        product.wait_ready("query")
        addresses = {index: next(child.address for child in product.children("query")
                                 if child.name == f"query-{index}") for index in _INDICES}
        query = Query(addresses["events"], "events")
        _send(events, query)
        _change(events, query)
        _ask(query)
        query.close()
        stay(product, _commands(product, events, addresses))


def _send(url: str, query: Query) -> None:
    """Events of now, some of them late, and some of them twice."""
    chance, sent = random.Random(1), 0
    keys: set[str] = set()
    began = time.monotonic()
    while len(keys) < EVENTS:
        batch = make_batch(chance, datetime.datetime.now(datetime.timezone.utc), _BATCH)
        send(url, batch)
        sent += len(batch)
        keys |= {event["event_id"] for event in batch}
    took = time.monotonic() - began
    say(f"\n{sent:,} events were acknowledged in {took:.1f} s, in batches of {_BATCH}; "
        f"{sent - len(keys):,} of them for the second time")
    seen = milliseconds_until(lambda: query.count({}) == len(keys), time.monotonic())
    say(f"{len(keys):,} documents are found {seen:.0f} ms later")


def _change(url: str, query: Query) -> None:
    """One event that comes two days late."""
    late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    body = (f'{{"event_id": "demo{os.getpid()}", "user_id": "ada", "product_id": "product-1", '
            f'"store_id": "store-1", "event_type": "view", "timestamp": "{late.isoformat()}"}}')
    with urlopen(Request(f"{url}/events", body.encode(),
                         {"Content-Type": "application/json"}), timeout=30) as answer:
        if answer.status != 202:
            raise ServersError(f"POST: {answer.status}")
    sent = time.monotonic()
    wanted = {"filter": {"equals": {"field": "event_id", "value": f"demo{os.getpid()}"}}}
    seen = milliseconds_until(lambda: bool(query.search(wanted)[0]["hits"]), sent)
    say(f"\nan event of {late:%Y-%m-%d} is found in the index of its day {seen:.0f} ms after it "
        "was acknowledged")


def _ask(query: Query) -> None:
    for hours in (3, 24, 36, None):
        store = {"equals": {"field": "store_id", "value": "store-7"}}
        window = {"range": {"field": "timestamp", "gte": f"now-{hours}h", "lte": "now"}}
        asked = {"filter": {"and": [window, store]} if hours else store,
                 "facets": {"kinds": {"field": "event_type"}}, "size": 0}
        millis = []
        for _ in range(20):
            answer, took = query.search(asked)
            millis.append(took)
        say(f"\n{f'the last {hours} hours' if hours else 'all'} of store-7: "
            f"{answer['total']['value']:,} events, partitions asked: {answer['partitions']}, "
            f"{statistics.median(millis):.1f} ms (median of 20)")
    say(f"by kind: {pretty(answer['facets']['kinds']['buckets'])}")


def _commands(product: SearchSync, events: str, addresses: dict[str, str]) -> str:
    killed = " ".join(str(child.pid) for role in ("ingest", "worker")
                      for child in product.children(role))
    return f"""\
  curl -s http://{product.address}/status
  cd examples/events
  /usr/bin/python3 generate.py {events} --rate 200 &
  curl -s -d @queries/last-hours-of-a-store.json http://{addresses['events']}/v1/events/search
  curl -s 'http://{addresses['timelines']}/v1/timelines/timelines/timestamp?user_id=user-7&size=3'
  kill -9 {killed}    # meanwhile: no event is lost, and none found twice"""
