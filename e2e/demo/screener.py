"""The screener: seven empty databases, one document a test run, and the screener's own question.

DEMO_RUNS is the number of test runs (2000).
"""

import contextlib
import json
import os
import statistics
import time

from e2e.demo.show import milliseconds_until, pretty, say, stay, wait_served
from e2e.harness import SearchSync
from e2e.harness.query import Query
from e2e.harness.screener import EXAMPLE, INDEX, Screener
from e2e.servers import PARTS as ALL_PARTS
from e2e.servers import ServersError, Stack

PARTS = ALL_PARTS
RUNS = int(os.environ.get("DEMO_RUNS") or 2000)

_RUN = "test-run-12345"
_QUESTION = "bug-hits-of-a-test"


def show(stack: Stack) -> None:
    began = time.monotonic()
    screener = Screener(stack, stack.run_dir / "resources", seed=1)
    loaded = screener.generator.load(RUNS)
    say(f"{loaded.total():,} rows in {len(loaded)} tables of seven databases "
        f"({time.monotonic() - began:.1f} s)")
    with SearchSync(screener.resources, stack.run_dir / "product") as product:
        say(f"searchsync runs {screener.resources}; status: http://{product.address}/status")
        wait_served(stack, product, INDEX)
        query = Query(product.wait_ready("query").address, INDEX)
        _show_document(query)
        _ask(query)
        _change(stack, query)
        query.close()
        stay(product, _commands(stack, product))


def _show_document(query: Query) -> None:
    document = query.document(_RUN)
    if document is None:
        raise ServersError(f"{_RUN} is not in the index")
    say(f"\nOne test run, from all seven databases:\n{pretty(document)}")


def _ask(query: Query) -> None:
    body = json.loads((EXAMPLE / "queries" / f"{_QUESTION}.json").read_text(encoding="utf-8"))
    answer, first = query.search(body)
    often = statistics.median(query.search(body)[1] for _ in range(50))
    say(f"\nThe bug hits of auth_login_test in 30 days, on main, of john, on linux-x64:\n"
        f"{pretty(answer)[:2000]}\n"
        f"first answer after {first:.1f} ms, median of 50 more {often:.1f} ms")


def _change(stack: Stack, query: Query) -> None:
    """Changes a bug in the bug service's database, and waits until the run of the test service's
    shows it: by its id, which needs no refresh of the index, and by a query, which does."""
    status = f"TRIAGED-{os.getpid()}"
    with contextlib.closing(stack.postgres.connect("bug")) as bug:
        bug.cursor().execute("UPDATE bugs SET status = %s WHERE id = 'BUG-6789'", [status])
        committed = time.monotonic()
    by_id = milliseconds_until(
        lambda: (query.document(_RUN) or {}).get("bugStatus") == status, committed)
    filtered = {"filter": {"and": [{"equals": {"field": "id", "value": _RUN}},
                                   {"equals": {"field": "bugStatus", "value": status}}]}, "size": 1}
    by_query = milliseconds_until(lambda: bool(query.search(filtered)[0]["hits"]), committed)
    say(f"\nA bug's status, changed in the bug service's database, shows in the run's document "
        f"{by_id:.0f} ms after the commit; a query finds it after {by_query:.0f} ms "
        "(refreshInterval is 1 s: see resources/index.yaml)")


def _commands(stack: Stack, product: SearchSync) -> str:
    query = f"http://{product.children('query')[0].address}/v1/{INDEX}"
    uri = stack.postgres.uri("{service}")
    workers = " ".join(str(child.pid) for child in product.children("worker"))
    return f"""\
  curl -s http://{product.address}/status
  curl -s {query}/documents/{_RUN}
  curl -s -d @examples/screener/queries/team-dashboard.json {query}/search
  psql {stack.postgres.uri('user')} -c "UPDATE teams SET name = 'core-team' WHERE id = 1"
  psql {stack.postgres.uri('bug')} -c "UPDATE bug_hits SET run_id = '{_RUN}' WHERE id < 5"
  /usr/bin/python3 examples/screener/generate.py changes --rate 50 --uri '{uri}'
  curl -s '{stack.search.url}/{INDEX}/_count'
  kill -9 {workers}    # the workers: nothing is lost"""
