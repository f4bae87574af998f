"""The screener's questions, to the search engine, to the query service in front of it, and to the
services without either: `python3 -m bench.query`.

The same question, once to the engine and once to the service in front of it, in turns, over one
kept connection each; each time about another test, owner, team. Every answer is read whole and not
parsed. Then the first question the way it was answered before there was an index.
"""

import argparse
import contextlib
import datetime
import json
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from e2e.harness.engine import Connection
from e2e.harness.query import serve_alone
from e2e.servers import ENGINES, Postgres, Process, Search, ServersError, Stack

from . import raw, runs
from .api_aggregation import ApiAggregation
from .tool import percentile, say, show

_INDEX = "bench-runs"
_PAGE = 50
_SINCE_DAYS = 30
_JOINS = 20  # of each kind: they take long
_NEWEST = [{"createdAt": "desc"}, {"id": "asc"}]

Request = tuple[str, str, Any]  # method, path, body


@dataclass(frozen=True)
class Question:
    """draw: one of its kind: the request to the service, and those to the engine, one after the
    other, that have the same answer."""

    name: str
    draw: Callable[[random.Random], tuple[Request, list[Request]]]


@dataclass
class Times:
    name: str
    engine: list[float] = field(default_factory=list)   # milliseconds
    service: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        added = statistics.median(s - e for s, e in zip(self.service, self.engine))
        return (f"{self.name:<34} {percentile(self.engine, 50):8.2f} "
                f"{percentile(self.service, 50):8.2f} {added:8.2f}   "
                f"{percentile(self.engine, 99):8.2f} {percentile(self.service, 99):8.2f} "
                f"{percentile(self.service, 99) - percentile(self.engine, 99):8.2f}")


def main() -> int:
    options = _parser().parse_args()
    return show(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    """Prints each row as soon as it is there."""
    with Stack(engine=options.search, parts=("postgres", "search"), jit=True) as stack:
        _load(stack, options)
        service = serve_alone(stack.search, stack.run_dir / "query", _INDEX, runs.MAPPINGS, [
            {"name": "same-bug", "index": _INDEX, "from": "bugId", "to": "bugId"}])
        try:
            print(f"{stack.search.engine} {stack.search.version()}, {options.documents} "
                  f"documents, {options.requests} requests each; milliseconds\n"
                  f"{'':<34} {'engine':>8} {'service':>8} {'added':>8}   {'engine':>8} "
                  f"{'service':>8} {'added':>8}\n{'':<34} {'p50':>8} {'p50':>8} {'p50':>8}   "
                  f"{'p99':>8} {'p99':>8} {'p99':>8}")
            for question in _QUESTIONS:
                print(_measure(stack.search, service, question, options), flush=True)
            _measure_joins(stack.postgres, service, options.seed)
        finally:
            service[0].stop()


def _load(stack: Stack, options: argparse.Namespace) -> None:
    say(f"{options.documents} runs into seven databases")
    runs.load(stack.postgres, options.documents, random.Random(options.seed).random())
    say("their documents into the engine")
    index = f"{_INDEX}-1"
    raw.write(stack.search, index, runs.MAPPINGS, runs.documents(stack.postgres))
    say("a refresh and a merge, as an index has that is rarely written")
    for method, path, body in (
            ("POST", f"/{index}/_refresh", None),
            ("POST", f"/{index}/_forcemerge?max_num_segments=5", None),
            ("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": _INDEX}}]})):
        status, answer = stack.search.request(method, path, body, timeout=3600)
        if status != 200:
            raise ServersError(f"{path}: {answer}")


def _since() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=_SINCE_DAYS)


def _flaky_test(rng: random.Random) -> tuple[str, str]:
    """One that hits bugs, and who mostly runs it."""
    test = rng.randrange(runs.FLAKY_TESTS)
    return f"test_{test}", f"user{test}@company.com"


def _search(ours: dict, theirs: dict) -> tuple[Request, list[Request]]:
    return ("POST", "/search", ours), [("POST", f"/{_INDEX}/_search", theirs)]


def _equals(**values: Any) -> list[dict]:
    return [{"equals": {"field": name, "value": value}} for name, value in values.items()]


def _terms(**values: Any) -> list[dict]:
    return [{"term": {name: value}} for name, value in values.items()]


def _hits_filter(test: str, owner: str, since: datetime.datetime) -> tuple[dict, dict]:
    """Ours, and the engine's: runs of a test that hit a bug, as the screener's users ask for them."""
    values = {"testName": test, "primary": "main", "owner": owner, "platform": "linux-x64"}
    at = runs.as_text(since)
    return ({"and": [*_equals(**values), {"exists": {"field": "bugId"}},
                     {"range": {"field": "createdAt", "gte": at}}]},
            {"bool": {"filter": [*_terms(**values), {"exists": {"field": "bugId"}},
                                 {"range": {"createdAt": {"gte": at}}}]}})


def _newest(ours: dict) -> dict:
    return {"filter": ours, "sort": [{"field": "createdAt", "order": "desc"}], "size": _PAGE}


def _bug_hits(rng: random.Random) -> tuple[Request, list[Request]]:
    ours, theirs = _hits_filter(*_flaky_test(rng), _since())
    return _search(_newest(ours), {"query": theirs, "sort": _NEWEST, "size": _PAGE})


def _facets(rng: random.Random) -> tuple[Request, list[Request]]:
    values = {"testName": f"test_{rng.randrange(runs.TESTS)}"}
    names = ("ownerTeam", "platform", "bugSeverity", "testStatus")
    return _search(
        {"filter": {"and": _equals(**values)}, "size": 20,
         "sort": [{"field": "createdAt", "order": "desc"}],
         "facets": {name: {"field": name} for name in names}},
        {"query": {"bool": {"filter": _terms(**values)}}, "size": 20, "sort": _NEWEST,
         "aggs": {name: {"terms": {"field": name, "size": 10}} for name in names}})


def _dashboard(rng: random.Random) -> tuple[Request, list[Request]]:
    teams = [f"team-{rng.randrange(runs.TEAMS)}" for _ in range(2)]
    states = ["FAILED"]
    return _search(
        {"filter": {"and": [{"or": [_equals(ownerTeam=team)[0] for team in teams]},
                            {"in": {"field": "testStatus", "values": states}}]}, "size": 20,
         "sort": [{"field": "updatedAt", "order": "desc"}],
         "facets": {"build": {"field": "imageBuildStatus"}}},
        {"query": {"bool": {"filter": [
            {"bool": {"should": [_terms(ownerTeam=team)[0] for team in teams]}},
            {"terms": {"testStatus": states}}]}}, "size": 20,
         "sort": [{"updatedAt": "desc"}, {"id": "asc"}],
         "aggs": {"build": {"terms": {"field": "imageBuildStatus", "size": 10}}}})


def _blockers(rng: random.Random) -> tuple[Request, list[Request]]:
    project = f"project-{rng.randrange(20)}"
    severe, open_states = ["P0", "P1"], ["OPEN", "IN_PROGRESS"]
    return _search(
        {"filter": {"and": [
            {"in": {"field": "bugSeverity", "values": severe}},
            {"in": {"field": "bugStatus", "values": open_states}},
            *_equals(testStatus="FAILED", projectName=project, primary="release"),
            {"not": _equals(flaky=True)[0]}]}, "size": 20,
         "sort": [{"field": "bugSeverity", "order": "asc"},
                  {"field": "createdAt", "order": "desc"}]},
        {"query": {"bool": {"filter": [
            {"terms": {"bugSeverity": severe}}, {"terms": {"bugStatus": open_states}},
            *_terms(testStatus="FAILED", projectName=project, primary="release")],
            "must_not": _terms(flaky=True)}}, "size": 20,
         "sort": [{"bugSeverity": "asc"}, *_NEWEST]})


def _log(rng: random.Random) -> tuple[Request, list[Request]]:
    text, prefix = "panic quota", f"test_{rng.randrange(100)}"
    return _search(
        {"filter": {"and": [{"text": {"field": "log", "query": text}},
                            {"prefix": {"field": "testName", "value": prefix}},
                            {"range": {"field": "duration", "gte": 300}}]}, "size": 20,
         "sort": [{"field": "duration", "order": "desc"}]},
        {"query": {"bool": {"filter": [
            {"match": {"log": {"query": text, "operator": "and"}}},
            {"prefix": {"testName": prefix}}, {"range": {"duration": {"gte": 300}}}]}},
         "size": 20, "sort": [{"duration": "desc"}, {"id": "asc"}]})


def _coverage(rng: random.Random) -> tuple[Request, list[Request]]:
    suite = f"suite-{rng.randrange(400)}"
    return _search(
        {"filter": {"and": [{"range": {"field": "mutationCoverage", "lt": 50}},
                            *_equals(testSuite=suite), {"not": {"exists": {"field": "bugId"}}}]},
         "size": 20, "sort": [{"field": "mutationCoverage", "order": "asc"}]},
        {"query": {"bool": {"filter": [{"range": {"mutationCoverage": {"lt": 50}}},
                                       *_terms(testSuite=suite)],
                            "must_not": [{"exists": {"field": "bugId"}}]}},
         "size": 20, "sort": [{"mutationCoverage": "asc"}, {"id": "asc"}]})


def _many(rng: random.Random) -> tuple[Request, list[Request]]:
    values = {"workspaceId": f"ws-{rng.randrange(1000)}"}
    return _search({"filter": {"and": _equals(**values)}, "size": 500},
                   {"query": {"bool": {"filter": _terms(**values)}}, "size": 500,
                    "sort": [{"id": "asc"}]})


def _list(rng: random.Random) -> tuple[Request, list[Request]]:
    owner, platform = f"user{rng.randrange(runs.OWNERS)}@company.com", "linux-arm64"
    return (("GET", f"/documents?owner={owner}&platform={platform}&size=20", None),
            [("POST", f"/{_INDEX}/_search", {
                "query": {"bool": {"filter": _terms(owner=owner, platform=platform)}},
                "sort": [{"id": "asc"}], "size": 20})])


def _timeline(rng: random.Random) -> tuple[Request, list[Request]]:
    owner = f"user{rng.randrange(runs.OWNERS)}@company.com"
    return (("GET", f"/timelines/createdAt?owner={owner}&size=20", None),
            [("POST", f"/{_INDEX}/_search", {
                "query": {"bool": {"filter": [*_terms(owner=owner),
                                              {"exists": {"field": "createdAt"}}]}},
                "sort": _NEWEST, "size": 20})])


def _count(rng: random.Random) -> tuple[Request, list[Request]]:
    team = f"team-{rng.randrange(runs.TEAMS)}"
    return (("GET", f"/count?ownerTeam={team}", None),
            [("POST", f"/{_INDEX}/_search", {"query": {"bool": {"filter": _terms(ownerTeam=team)}},
                                             "size": 0, "track_total_hits": True})])


def _document(rng: random.Random) -> tuple[Request, list[Request]]:
    key = f"run-{rng.randrange(1, 10_000)}"
    return ("GET", f"/documents/{key}", None), [("GET", f"/{_INDEX}/_doc/{key}", None)]


def _same_bug(rng: random.Random) -> tuple[Request, list[Request]]:
    test, owner = _flaky_test(rng)
    values = {"testName": test, "owner": owner, "primary": "release", "platform": "windows-x64"}
    bugs = {"bool": {"filter": [*_terms(**values), {"exists": {"field": "bugId"}}]}}
    return (("POST", "/search", {"filter": {"related": {
        "relation": "same-bug", "filter": {"and": _equals(**values)}}}, "size": 20}),
            [("POST", f"/{_INDEX}/_search", {
                "query": bugs, "size": 0, "track_total_hits": False, "aggs": {"keys": {"terms": {
                    "field": "bugId", "size": 10_001, "order": {"_key": "asc"}}}}}),
             ("POST", f"/{_INDEX}/_search", {
                 "query": {"bool": {"filter": [{"terms": {"bugId": [
                     f"BUG-{rng.randrange(50_000)}" for _ in range(100)]}}]}},
                 "sort": [{"id": "asc"}], "size": 20})])


_QUESTIONS = (
    Question("bug hits of a test, six conditions", _bug_hits),
    Question("a test's newest, four facets", _facets),
    Question("a dashboard of two teams", _dashboard),
    Question("release blockers, three sorts", _blockers),
    Question("words in logs, prefix, range", _log),
    Question("low coverage of a suite", _coverage),
    Question("500 whole documents", _many),
    Question("list by parameters", _list),
    Question("timeline of an owner", _timeline),
    Question("count of a team", _count),
    Question("document by id", _document),
    Question("related: runs of the same bugs", _same_bug),
)


def _measure(search: Search, service: tuple[Process, str], question: Question,
             options: argparse.Namespace) -> Times:
    engine, ours = Connection(search.address), Connection(service[1])
    times, rng = Times(question.name), random.Random(options.seed)

    def once(connection: Connection, requests: list[Request]) -> float:
        began = time.perf_counter()
        for method, path, body in requests:
            status, answer = connection.request(method, path, body, parse=bytes)
            if status != 200:
                raise ServersError(f"{path}: {status} {answer!r}")
        return 1000 * (time.perf_counter() - began)

    for number in range(-options.requests // 10, options.requests):
        (method, path, body), theirs = question.draw(rng)
        asked = [(method, f"/v1/{_INDEX}{path}", body)]
        # Whoever is second finds the engine's caches as warm as the first left them.
        if number % 2 == 0:
            one, other = once(engine, theirs), once(ours, asked)
        else:
            other, one = once(ours, asked), once(engine, theirs)
        if number >= 0:
            times.engine.append(one)
            times.service.append(other)
    return times


def _measure_joins(postgres: Postgres, service: tuple[Process, str], seed: int) -> None:
    """The first question, answered by the service and by joins, with the same runs. Errors: they
    differ."""
    index, rng = Connection(service[1]), random.Random(seed)
    times: dict[str, list[float]] = {}
    found = 0

    def timed(name: str, answer: Callable[[], list[str]]) -> list[str]:
        began = time.perf_counter()
        result = answer()
        times.setdefault(name, []).append(1000 * (time.perf_counter() - began))
        return result

    with contextlib.closing(ApiAggregation(postgres)) as services:
        for _ in range(_JOINS):
            (test, owner), since = _flaky_test(rng), _since()
            body = _newest(_hits_filter(test, owner, since)[0])

            def by_index() -> list[str]:
                status, answer = index.request("POST", f"/v1/{_INDEX}/search", body)
                if status != 200:
                    raise ServersError(f"{status} {answer}")
                return [hit["id"] for hit in answer["hits"]]
            question = (test, owner, "linux-x64", "main", since)
            want = timed("query service", by_index)
            for name, way in (("services one by one", services.joined),
                              ("services, each narrowed", services.narrowed)):
                got = timed(name, lambda: way(*question))
                if got != want:
                    raise ServersError(f"{name}: {got}, {json.dumps(body)} has {want}")
            found += len(want)
    print(f"\nthe first question by joins, {_JOINS} times, {found} runs found each way; ms"
          f"\n{'':<34} {'p50':>8} {'most':>8}")
    for name, values in times.items():
        print(f"{name:<34} {percentile(values, 50):8.1f} {max(values):8.1f}", flush=True)


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
