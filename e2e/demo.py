"""Everything at work, from seven empty databases to the answer of a query: `make demo`.

Starts PostgreSQL, Kafka and a search engine, fills the screener's databases, runs searchsync on
them, asks the screener's own question, changes a row and watches the change arrive. Then all stays
up to be played with, until Ctrl-C.

DEMO_RUNS is the number of test runs (2000), DEMO_EXIT=1 ends after the show, SEARCH chooses the
engine.
"""

import contextlib
import json
import os
import signal
import statistics
import sys
import time
from typing import Callable

from e2e.harness import SearchSync, engine
from e2e.harness.query import Query
from e2e.harness.screener import EXAMPLE, INDEX, Screener
from e2e.servers import ServersError, Stack

RUNS = int(os.environ.get("DEMO_RUNS") or 2000)

_RUN = "test-run-12345"
_QUESTION = "bug-hits-of-a-test"
_SERVED_SECONDS = 180
_SEEN_SECONDS = 30
_LONG = 120  # characters of a field that are shown


def main() -> int:
    try:
        with Stack(progress=_say) as stack:
            try:
                _show(stack)
            except KeyboardInterrupt:  # here, so that nothing is kept
                _say("\nstopping")
    except ServersError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _show(stack: Stack) -> None:
    began = time.monotonic()
    screener = Screener(stack, stack.run_dir / "resources", seed=1)
    loaded = screener.generator.load(RUNS)
    _say(f"{loaded.total():,} rows in {len(loaded)} tables of seven databases "
         f"({time.monotonic() - began:.1f} s)")
    with SearchSync(screener.resources, stack.run_dir / "product") as product:
        _say(f"searchsync runs {screener.resources}; status: http://{product.address}/status")
        _load(stack, product)
        query = Query(product.wait_ready("query").address, INDEX)
        _show_document(query)
        _ask(query)
        _change(stack, query)
        query.close()
        if os.environ.get("DEMO_EXIT") != "1":
            _stay(stack, product)


def _load(stack: Stack, product: SearchSync) -> None:
    """Shows how the first load goes on."""
    began, shown = time.monotonic(), [""]

    def served() -> bool:
        index = product.index(INDEX)
        documents = engine.writes(stack.search, f"{INDEX}-*")
        line = f"{index['phase']}: {documents:,} documents written, lag {index['lagRecords']}"
        if line != shown[0]:
            _say(f"{time.monotonic() - began:5.1f} s  {line}")
            shown[0] = line
        return index["phase"] == "Serving"
    product.wait("complete index behind the alias", served, _SERVED_SECONDS)


def _show_document(query: Query) -> None:
    document = query.document(_RUN)
    if document is None:
        raise ServersError(f"{_RUN} is not in the index")
    _say(f"\nOne test run, from all seven databases:\n{_pretty(document)}")


def _ask(query: Query) -> None:
    body = json.loads((EXAMPLE / "queries" / f"{_QUESTION}.json").read_text(encoding="utf-8"))
    answer, first = query.search(body)
    often = statistics.median(query.search(body)[1] for _ in range(50))
    _say(f"\nThe bug hits of auth_login_test in 30 days, on main, of john, on linux-x64:\n"
         f"{_pretty(answer)[:2000]}\n"
         f"first answer after {first:.1f} ms, median of 50 more {often:.1f} ms")


def _change(stack: Stack, query: Query) -> None:
    """Changes a bug in the bug service's database, and waits until the run of the test service's
    shows it: by its id, which needs no refresh of the index, and by a query, which does."""
    status = f"TRIAGED-{os.getpid()}"
    with contextlib.closing(stack.postgres.connect("bug")) as bug:
        bug.cursor().execute("UPDATE bugs SET status = %s WHERE id = 'BUG-6789'", [status])
        committed = time.monotonic()
    by_id = _seen(committed, lambda: (query.document(_RUN) or {}).get("bugStatus") == status)
    filtered = {"filter": {"and": [{"equals": {"field": "id", "value": _RUN}},
                                   {"equals": {"field": "bugStatus", "value": status}}]}, "size": 1}
    by_query = _seen(committed, lambda: bool(query.search(filtered)[0]["hits"]))
    _say(f"\nA bug's status, changed in the bug service's database, shows in the run's document "
         f"{by_id:.0f} ms after the commit; a query finds it after {by_query:.0f} ms "
         "(refreshInterval is 1 s: see resources/index.yaml)")


def _seen(committed: float, condition: Callable[[], bool]) -> float:
    """Milliseconds until the condition holds."""
    while not condition():
        if time.monotonic() > committed + _SEEN_SECONDS:
            raise ServersError(f"the change is not there after {_SEEN_SECONDS} s")
    return 1000 * (time.monotonic() - committed)


def _stay(stack: Stack, product: SearchSync) -> None:
    query = f"http://{product.children('query')[0].address}/v1/{INDEX}"
    uri = stack.postgres.uri("{service}")
    workers = " ".join(str(child.pid) for child in product.children("worker"))
    _say(f"""
All of it stays up until Ctrl-C. In another terminal:

  curl -s http://{product.address}/status
  curl -s {query}/documents/{_RUN}
  curl -s -d @examples/screener/queries/team-dashboard.json {query}/search
  psql {stack.postgres.uri('user')} -c "UPDATE teams SET name = 'core-team' WHERE id = 1"
  psql {stack.postgres.uri('bug')} -c "UPDATE bug_hits SET run_id = '{_RUN}' WHERE id < 5"
  /usr/bin/python3 examples/screener/generate.py changes --rate 50 --uri '{uri}'
  curl -s '{stack.search.url}/{INDEX}/_count'
  kill -9 {workers}    # the workers: nothing is lost

resources {product.resources}
log       {product.log}""")
    while product.running():
        signal.sigtimedwait((), 1)  # a second, or until Ctrl-C
    raise ServersError(f"searchsync ended: see {product.log}")


def _pretty(value) -> str:
    return json.dumps(_cut(value), indent=2, ensure_ascii=False)


def _cut(value):
    """The value with long texts cut."""
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_LONG]}... ({len(value)} characters)"
    return value


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
