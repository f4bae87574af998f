"""Domains: delivery events over HTTP, counted exactly once each, and a status to look up.

DEMO_EVENTS is the number of events (50000).
"""

import os
import statistics
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from e2e.demo.show import milliseconds_until, pretty, say, stay, wait_served
from e2e.harness import SearchSync, render
from e2e.harness.query import Query
from e2e.harness.sender import Sender
from e2e.servers import ServersError, Stack, wait_until

_EXAMPLE = Path(__file__).parents[2] / "examples" / "domains"
sys.path.append(str(_EXAMPLE))
from deliveries import Deliveries, differences  # noqa: E402  (the example is no package of ours)

PARTS = ("kafka", "search")
EVENTS = int(os.environ.get("DEMO_EVENTS") or 50_000)

_INDEX = "domains"
_BATCH = 500
_COUNTED_SECONDS = 180


def show(stack: Stack) -> None:
    resources = stack.run_dir / "resources"
    render(_EXAMPLE / "resources", resources, {"http://localhost:9200": stack.search.url,
                                               "localhost:9092": stack.kafka.address})
    with SearchSync(resources, stack.run_dir / "product") as product:
        say(f"searchsync runs {resources}; status: http://{product.address}/status")
        wait_served(stack, product, _INDEX)
        product.wait_ready("ingest")
        events = "http://{}:{}".format(*Sender(product, "deliveries").address())
        address = product.wait_ready("query").address
        _count(events, f"http://{address}")
        query = Query(address, _INDEX)
        _change(events, query)
        _look_up(query)
        query.close()
        stay(product, _commands(product, events, f"http://{address}"))


def _count(events: str, query: str) -> None:
    deliveries = Deliveries(events, 1_000, seed=1)
    began = time.monotonic()
    while deliveries.sent < EVENTS:
        deliveries.send(_BATCH)
    sent = time.monotonic()
    say(f"\n{deliveries.sent:,} events of {len(deliveries.fold):,} domains were acknowledged in "
        f"{sent - began:.1f} s, in batches of {_BATCH}; {deliveries.again:,} were sent twice")
    wait_until(lambda: not differences(query, deliveries.fold), _COUNTED_SECONDS,
               lambda: "\n".join(differences(query, deliveries.fold)[:5]))
    say(f"every counter and status is what was acknowledged, {time.monotonic() - sent:.1f} s "
        "after the last one (most of it for asking)")
    deliveries.close()


def _change(events: str, query: Query) -> None:
    """One bounce of a domain that nobody has heard of."""
    domain = f"demo{os.getpid()}.example"
    say(f"\nA domain without events: {pretty(query.document(domain))}")
    with urlopen(Request(f"{events}/events/{domain}/bounced", method="PUT"), timeout=30) as answer:
        if answer.status != 202:
            raise ServersError(f"PUT: {answer.status}")
    sent = time.monotonic()
    seen = milliseconds_until(
        lambda: query.document(domain)["status"] == "not-catch-all", sent)
    say(f"\nafter PUT /events/{domain}/bounced: {pretty(query.document(domain))}\n"
        f"{seen:.0f} ms after the event was acknowledged")


def _look_up(query: Query) -> None:
    millis = []
    for number in range(200):
        began = time.perf_counter()
        query.document(f"d{number}.s0.example")
        millis.append(1000 * (time.perf_counter() - began))
    cuts = statistics.quantiles(millis, n=20)
    say(f"\n200 domains looked up: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms")
    answer, _ = query.search({"size": 0, "facets": {"status": {"field": "status"}}})
    say(f"by status: {pretty(answer['facets']['status']['buckets'])}")


def _commands(product: SearchSync, events: str, query: str) -> str:
    killed = " ".join(str(child.pid) for role in ("ingest", "aggregate", "worker")
                      for child in product.children(role))
    return f"""\
  curl -s http://{product.address}/status
  curl -X PUT {events}/events/example.org/delivered
  curl -s {query}/v1/domains/documents/example.org    # up to a second later
  curl -s '{query}/v1/domains/documents?status=catch-all&sort=-delivered&size=3'
  cd examples/domains
  /usr/bin/python3 generate.py send --events {events} --count 100000
  kill -9 {killed}    # meanwhile: nothing is lost, and nothing counted twice
  /usr/bin/python3 generate.py check --query {query}"""
