"""What the query service adds to the search engine's own answer: `python3 -m bench.query`.

The same question, once to the engine and once to the service in front of it, in turns, over one
kept connection each. Every answer is read whole and not parsed.
"""

import argparse
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from e2e.harness.engine import Connection
from e2e.harness.query import serve_alone
from e2e.servers import ENGINES, Process, Search, ServersError, Stack

from . import raw
from .tool import percentile, show

_INDEX = "bench-runs"
_NOW = datetime(2024, 6, 30, tzinfo=timezone.utc)
_MAPPINGS = {"dynamic": "strict", "properties": {
    "id": {"type": "long"}, "testName": {"type": "keyword"}, "owner": {"type": "keyword"},
    "team": {"type": "keyword"}, "platform": {"type": "keyword"}, "bugId": {"type": "keyword"},
    "severity": {"type": "integer"}, "createdAt": {"type": "date"}, "log": {"type": "text"}}}


@dataclass(frozen=True)
class Question:
    name: str
    method: str
    path: str                  # of the service, after the index
    body: Any
    engine: list[tuple[str, str, Any]]  # the same, of the engine: requests one after the other


@dataclass
class Times:
    name: str
    engine: list[float] = field(default_factory=list)   # milliseconds
    service: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        added = statistics.median(s - e for s, e in zip(self.service, self.engine))
        return (f"{self.name:<28} {percentile(self.engine, 50):8.2f} "
                f"{percentile(self.service, 50):8.2f} {added:8.2f}   "
                f"{percentile(self.engine, 99):8.2f} {percentile(self.service, 99):8.2f} "
                f"{percentile(self.service, 99) - percentile(self.engine, 99):8.2f}")


def main() -> int:
    options = _parser().parse_args()
    return show(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    """Prints each row as soon as it is there."""
    with Stack(engine=options.search, parts=("search",)) as stack:
        _load(stack.search, options.documents, random.Random(options.seed))
        service = serve_alone(stack.search, stack.run_dir / "query", _INDEX, _MAPPINGS, [
            {"name": "same-bug", "index": _INDEX, "from": "bugId", "to": "bugId"}])
        try:
            print(f"{stack.search.engine} {stack.search.version()}, {options.documents} "
                  f"documents, {options.requests} requests each; milliseconds\n"
                  f"{'':<28} {'engine':>8} {'service':>8} {'added':>8}   {'engine':>8} "
                  f"{'service':>8} {'added':>8}\n{'':<28} {'p50':>8} {'p50':>8} {'p50':>8}   "
                  f"{'p99':>8} {'p99':>8} {'p99':>8}")
            for question in _questions():
                print(_measure(stack.search, service, question, options), flush=True)
        finally:
            service[0].stop()


def _load(search: Search, count: int, rng: random.Random) -> None:
    index = f"{_INDEX}-1"
    raw.write(search, index, _MAPPINGS, (
        (str(number), {
            "id": number, "testName": f"test_{rng.randrange(500)}",
            "owner": f"user{rng.randrange(200)}@company.com", "team": f"team-{rng.randrange(20)}",
            "platform": rng.choice(("linux-x64", "linux-arm", "windows")),
            "bugId": f"BUG-{rng.randrange(5000)}" if rng.random() < 0.3 else None,
            "severity": rng.randrange(5),
            "createdAt": (_NOW - timedelta(seconds=rng.randrange(60 * 86400))).isoformat(),
            "log": " ".join(rng.choices(("socket", "timeout", "retry", "login", "cache"), k=40))})
        for number in range(count)))
    for method, path, body in (
            ("POST", f"/{index}/_refresh", None), ("POST", f"/{index}/_forcemerge", None),
            ("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": _INDEX}}]})):
        status, answer = search.request(method, path, body, timeout=600)
        if status != 200:
            raise ServersError(f"{path}: {answer}")


def _questions() -> list[Question]:
    def search(body: dict) -> tuple[str, str, dict]:
        return "POST", f"/{_INDEX}/_search", body

    since = (_NOW - timedelta(days=30)).isoformat()
    ours = {"and": [{"equals": {"field": "testName", "value": "test_7"}},
                    {"exists": {"field": "bugId"}},
                    {"range": {"field": "createdAt", "gte": since}},
                    {"equals": {"field": "platform", "value": "linux-x64"}}]}
    theirs = {"bool": {"filter": [{"term": {"testName": "test_7"}}, {"exists": {"field": "bugId"}},
                                  {"range": {"createdAt": {"gte": since}}},
                                  {"term": {"platform": "linux-x64"}}]}}
    newest = [{"createdAt": "desc"}, {"id": "asc"}]
    terms = {name: {"terms": {"field": name, "size": 10}}
             for name in ("team", "platform", "severity")}
    bugs = {"bool": {"filter": [{"term": {"testName": "test_7"}}, {"term": {"severity": 4}}]}}
    return [
        Question("page of the screener query", "POST", "/search",
                 {"filter": ours, "sort": [{"field": "createdAt", "order": "desc"}], "size": 50},
                 [search({"query": theirs, "sort": newest, "size": 50})]),
        Question("20 of it and three facets", "POST", "/search", {
            "filter": {"equals": {"field": "testName", "value": "test_7"}}, "size": 20,
            "sort": [{"field": "createdAt", "order": "desc"}],
            "facets": {name: {"field": name} for name in terms}},
                 [search({"query": {"bool": {"filter": [{"term": {"testName": "test_7"}}]}},
                          "sort": newest, "size": 20, "aggs": terms})]),
        Question("500 whole documents", "POST", "/search", {"size": 500},
                 [search({"query": {"match_all": {}}, "sort": [{"id": "asc"}], "size": 500})]),
        Question("list by parameters", "GET", "/documents?team=team-3&severity=1&size=20", None,
                 [search({"query": {"bool": {"filter": [{"term": {"team": "team-3"}},
                                                        {"term": {"severity": 1}}]}},
                          "sort": [{"id": "asc"}], "size": 20})]),
        Question("count", "GET", "/count?team=team-3", None,
                 [search({"query": {"bool": {"filter": [{"term": {"team": "team-3"}}]}}, "size": 0,
                          "track_total_hits": True})]),
        Question("document by id", "GET", "/documents/4711", None,
                 [("GET", f"/{_INDEX}/_doc/4711", None)]),
        Question("related: runs of the same bug", "POST", "/search", {"filter": {"related": {
            "relation": "same-bug", "filter": {"and": [
                {"equals": {"field": "testName", "value": "test_7"}},
                {"equals": {"field": "severity", "value": 4}}]}}}, "size": 20},
                 [search({"query": bugs, "size": 0, "track_total_hits": False, "aggs": {"keys": {
                     "terms": {"field": "bugId", "size": 10_001, "order": {"_key": "asc"}}}}}),
                  search({"query": {"bool": {"filter": [{"terms": {"bugId": [
                      f"BUG-{number}" for number in range(0, 5000, 200)]}}]}},
                      "sort": [{"id": "asc"}], "size": 20})])]


def _measure(search: Search, service: tuple[Process, str], question: Question,
             options: argparse.Namespace) -> Times:
    engine, ours = Connection(search.address), Connection(service[1])
    times = Times(question.name)

    def once(connection: Connection, requests: list[tuple[str, str, Any]]) -> float:
        began = time.perf_counter()
        for method, path, body in requests:
            status, answer = connection.request(method, path, body, parse=bytes)
            if status != 200:
                raise ServersError(f"{path}: {status} {answer!r}")
        return 1000 * (time.perf_counter() - began)

    asked = [(question.method, f"/v1/{_INDEX}{question.path}", question.body)]
    for number in range(-options.requests // 10, options.requests):
        # Whoever is second finds the engine's caches as warm as the first left them.
        if number % 2 == 0:
            one, other = once(engine, question.engine), once(ours, asked)
        else:
            other, one = once(ours, asked), once(engine, question.engine)
        if number >= 0:
            times.engine.append(one)
            times.service.append(other)
    return times


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench.query", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--requests", type=int, default=1000, help="of each question")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--search", choices=ENGINES, help="search engine; default: $SEARCH")
    return parser


if __name__ == "__main__":
    sys.exit(main())
