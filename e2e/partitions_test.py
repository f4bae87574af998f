"""The example of events on real servers: an index for each day and month, events that come late, old
partitions dropped, queries that touch only those they need, processes killed in the middle.
SEARCH chooses the engine.

Tests run in order of name: the last one drops what is old.
"""

import contextlib
import datetime
import http.client
import itertools
import json
import os
import random
import re
import subprocess
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Iterator

from e2e.harness import SearchSync, engine, render
from e2e.harness.engine import Connection
from e2e.harness.page import examples, json_values
from e2e.harness.product import text_of
from e2e.harness.sender import Sender
from e2e.servers import Stack

_ROOT = Path(__file__).parents[1]
_EXAMPLE = _ROOT / "examples" / "events"
_PAGES = (_ROOT / "docs" / "partitions.md", _EXAMPLE / "README.md")
_SECONDS = 600
_SENDERS = 4
_BATCHES = 25
_BATCH = 20
_KILLS = 4
_FIELDS = ("event_id", "user_id", "product_id", "store_id", "event_type", "timestamp")


def _at(**ago: float) -> str:
    """A time so long ago, as events have it."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _days(hours: float) -> set[str]:
    """The days that the last so many hours touch. Clocks of engine and service may differ by a
    minute, so it looks one further on each side."""
    return {_at(hours=hour, minutes=minute)[:10] for hour, minute in (
        (0, -1), *((hour, 0) for hour in range(0, int(hours), 24)), (hours, 1))}


def _event(event_id: str, timestamp: str, user: str = "bob") -> dict[str, str]:
    return {"event_id": event_id, "user_id": user, "product_id": "product-1",
            "store_id": "store-7", "event_type": "view", "timestamp": timestamp}


def _row(event: dict[str, str]) -> dict[str, str]:
    """As ingest keeps it."""
    time_ = event["timestamp"]
    return {**event, "timestamp": time_[:-1] + "000Z"}  # six digits of a second


def _edited(path: Path, edits: list[tuple[str, str]]) -> str:
    """Its text with each replaced where it is first."""
    text = path.read_text(encoding="utf-8")
    for before, after in edits:
        if before not in text:
            raise ValueError(f"{path}: no {before}")
        text = text.replace(before, after, 1)
    return text


class PartitionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))
        cls.resources = cls.stack.run_dir / "resources"
        render(_EXAMPLE / "resources", cls.resources, {
            "http://localhost:9200": cls.stack.search.url,
            "localhost:9092": cls.stack.kafka.address,
            "stableFor: 5s}": "stableFor: 1s}\n    keepWarm: 1s",
            "sessionTimeout: 45s": "sessionTimeout: 6s",
            "refreshInterval: 1s": "refreshInterval: 200ms"})
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        for index in ("events", "timelines"):
            cls.product.wait_served(index, _SECONDS)
        cls.product.wait("events to be taken", lambda: (
            cls.product.binding("event")["message"].startswith("events are taken at")), _SECONDS)
        cls.product.wait("a query service for each", lambda: (
            len(cls.product.children("query")) == 2), _SECONDS)
        cls.product.wait_ready("query", _SECONDS)

    def setUp(self):
        self.sender = Sender(self.product, "event")
        self.addCleanup(self.sender.close)

    def test_a_query_touches_only_the_partitions_that_it_needs(self):
        hours = range(0, 100, 4)
        self.sender.take("/events", [_event(f"hour-{hour}", _at(hours=hour)) for hour in hours])
        self._wait_read({f"hour-{hour}" for hour in hours})
        own = self.product.index("events")["alias"]
        for last, least, most in ((3, 1, 2), (24, 2, 3), (36, 2, 3)):
            with self.subTest(hours=last):
                window = {"range": {"field": "timestamp", "gte": f"now-{last}h", "lte": "now"}}
                days = _days(last)
                answer, touched = self._ask_watched({"filter": {"and": [
                    window, {"equals": {"field": "user_id", "value": "bob"}}]}, "size": 1000})
                days_after = _days(last)  # midnight may have come
                self.assertIn(answer["partitions"], (len(days), len(days_after)))
                self.assertTrue(least <= answer["partitions"] <= most, answer["partitions"])
                # The engine leaves out a partition where nothing lies in the window, as on the
                # evening of a day whose last event came at noon.
                self.assertLessEqual(touched, {f"{own}-{day}" for day in days | days_after})
                self.assertLessEqual({f"{own}-{hit['source']['timestamp'][:10]}"
                                      for hit in answer["hits"]}, touched)
                found = {hit["id"] for hit in answer["hits"] if hit["id"].startswith("hour-")}
                now = {f"hour-{hour}" for hour in hours if hour < last}
                self.assertEqual(now, found)
        answer, touched = self._ask_watched({"size": 0})
        self.assertEqual(answer["partitions"], len(touched))
        self.assertEqual(set(self._partitions("events")), touched, "without a time, all")
        self.product.wait("their number in the status", lambda: (
            self.product.index("events")["partitions"] == len(touched)), _SECONDS)
        answer, touched = self._ask_watched(
            {"filter": {"range": {"field": "timestamp", "lt": "2001-01-01"}},
             "facets": {"kinds": {"field": "event_type"}}})
        self.assertEqual((0, set()), (answer["partitions"], touched))
        self.assertEqual({"buckets": [], "otherCount": 0}, answer["facets"]["kinds"])

    def test_who_asks_for_one_user_is_sent_to_one_shard(self):
        days = (0, 1, 40, 80)
        self.sender.take("/events", [
            _event(f"route-{user}-{day}", _at(days=day), f"route-{user}")
            for user in range(5) for day in days])
        for user in range(5):
            asked = {"filter": {"equals": {"field": "user_id", "value": f"route-{user}"}}}

            def answered() -> bool:
                status, answer = self._query("timelines", "POST", "/search", asked)
                self.assertIn(status, (200, 504), answer)  # 504: on a slow machine
                if status == 504:
                    return False
                found = {hit["id"] for hit in answer["hits"]}
                # As many shards as partitions, and that of the index without documents.
                return (found == {f"route-{user}-{day}" for day in days}
                        and answer["partitions"] == len(self._partitions("timelines")))
            self.product.wait(f"what route-{user} did", answered, _SECONDS)

    def test_killed_at_any_moment_every_document_is_in_its_place(self):
        self.failures: list[str] = []
        self.kept: list[dict[str, dict]] = [{} for _ in range(_SENDERS)]
        self.done = 0
        work = [threading.Thread(target=self._send, args=(number,)) for number in range(_SENDERS)]
        for one in work:
            one.start()
        chance = random.Random(5)
        for kill in range(_KILLS):
            goal = (kill + 1) * _SENDERS * _BATCHES // (_KILLS + 1)
            self.product.wait(f"{goal} batches", lambda: self.done >= goal or self.failures, 300)
            role = ("worker", "ingest")[kill % 2]
            victim = chance.choice(self.product.children(role))
            victim.kill()
            self.product.wait_replaced(victim)
        for one in work:
            one.join(300)
        self.assertEqual([], self.failures)
        expected = {key: row for kept in self.kept for key, row in kept.items()}
        self.assertGreater(len(expected), _SENDERS * _BATCHES * _BATCH * 0.9)
        for index, digits in (("events", 10), ("timelines", 7)):
            self.product.wait(f"all documents of {index}", lambda: (
                self._places(index, "kill-", digits) == expected), _SECONDS)

    def _send(self, number: int) -> None:
        """Events of the last month; some are sent once more, with another time. What was not
        acknowledged is sent again, as it was."""
        sender = Sender(self.product, "event")
        chance = random.Random(number)
        names = itertools.count()
        try:
            for _ in range(_BATCHES):
                events = [_event(f"kill-{number}-{next(names)}", _at(hours=chance.uniform(0, 700)),
                                 f"user-{chance.randrange(5)}") for _ in range(_BATCH)]
                for key in chance.sample(sorted(self.kept[number]), min(2, len(self.kept[number]))):
                    moved = {**self.kept[number][key], "timestamp": _at(
                        hours=chance.uniform(0, 700))}
                    events.append({field: moved[field] for field in _FIELDS})
                deadline = time.monotonic() + 180
                while not self._acknowledged(sender, events):
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"sender {number}")
                    time.sleep(0.05)  # as Retry-After asks, but for a test
                self.kept[number].update({event["event_id"]: _row(event) for event in events})
                self.done += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(repr(error))
        finally:
            sender.close()

    @staticmethod
    def _acknowledged(sender: Sender, events: list[dict]) -> bool:
        try:
            answer = sender.send("/events", events)
        except (OSError, KeyError):
            return False
        if answer.status in (202, 429, 503):
            return answer.status == 202
        raise AssertionError(answer)

    def test_late_events_go_to_their_day(self):
        times = {f"late-{days}": _at(days=days) for days in (0, 1, 3, 60, 300)}
        times["late-ahead"] = _at(hours=-20)
        self.sender.take("/events", [_event(key, at) for key, at in times.items()])
        expected = {key: _row(_event(key, at)) for key, at in times.items()}
        self.product.wait("late events in their days", lambda: (
            self._places("events", "late-", 10) == expected), _SECONDS)
        self._wait_read(set(times))
        before = self.product.index("events")["deadLetters"]
        self.sender.take("/events", [_event("late-too-old", _at(days=800)),
                                     _event("late-too-early", _at(days=-3)),
                                     _event("late-last", _at())])
        self.product.wait("one behind them", lambda: (
            "late-last" in self._places("events", "late-", 10)), _SECONDS)
        self.product.wait("a dead letter of the one too early", lambda: (
            self.product.index("events")["deadLetters"] == before + 1), _SECONDS)
        self.product.wait("a count of the one too old", lambda: self._metric(
            "worker", "searchsync_worker_documents_expired_total", "events") >= 1, _SECONDS)
        self.assertFalse({"late-too-old", "late-too-early"} & set(
            self._places("events", "late-", 10)))

    def test_mappings_change_under_readers(self):
        """All of an index moves at once: no reader finds a document twice, or misses one."""
        self.sender.take("/events", [
            _event(f"swap-{day}", _at(days=day), "swapped") for day in range(20)])
        self._wait_read({f"swap-{day}" for day in range(20)})
        before = self.product.index("events")["alias"]
        counted: set[int] = set()
        stop = threading.Event()
        reader = threading.Thread(target=self._count_all, args=(stop, counted))
        reader.start()
        try:
            path = self.resources / "events.yaml"
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("event_type: {type: keyword}",
                                         "event_type: {type: keyword, ignore_above: 100}"),
                            encoding="utf-8")
            self.product.wait("another index", lambda: (
                self.product.index("events")["alias"] not in (None, before)), _SECONDS)
            self.product.wait("the former one and its partitions gone", lambda: not [
                name for name in self._indices("events-*") if name.startswith(before)], _SECONDS)
        finally:
            stop.set()
            reader.join()
        self.assertEqual({20}, counted)
        after = self.product.index("events")["alias"]
        status, aliases = self.stack.search.request("GET", "/_alias/events*")
        self.assertEqual(200, status)
        for name, index in aliases.items():
            day = name.removeprefix(after).removeprefix("-") or "none"
            self.assertEqual({"events", f"events@{day}"}, {
                alias for alias in index["aliases"] if not alias.endswith(".Write")}, name)

    def _count_all(self, stop: threading.Event, counted: set[int]) -> None:
        while not stop.is_set():
            # Its process is another one for each generation; and between two there is none.
            with contextlib.suppress(OSError, KeyError, http.client.HTTPException):
                status, answer = self._query("events", "GET", "/count?user_id=swapped")
                if status != 504:  # that is what a slow machine answers
                    counted.add(answer.get("count", status))

    def test_new_fields_come_with_new_partitions(self):
        """While events flow: nothing is built anew, and what comes from then on has them, also in
        partitions that were there before. What cannot be mixed is built anew."""
        old = [_event(f"wide-old-{days}", _at(days=days)) for days in (0, 2, 200)]
        self.sender.take("/events", old)
        self._wait_read({event["event_id"] for event in old})
        before = self.product.index("events")["alias"]
        dead = self.product.index("events")["deadLetters"]
        path = self.resources / "events.yaml"
        flow: dict[str, dict] = {}
        stop = threading.Event()
        self.failures = []
        flowing = threading.Thread(target=self._flow, args=(stop, flow))
        flowing.start()
        try:
            column = "        - {name: timestamp, type: Timestamp}\n"
            field = "    - {from: timestamp, to: timestamp}\n"
            text = _edited(path, [
                ("ahead: 1d}", "ahead: 1d, onMappingChange: NewPartitions}"),
                (column, f"{column}        - {{name: channel, bytesMax: 64}}\n"),
                (field, f"{field}    - {{from: channel, to: channel}}\n"),
                ("      timestamp: {type: date}\n",
                 "      timestamp: {type: date}\n      channel: {type: keyword}\n")])
            self._declare(path, text)
            late = [{**_event(f"wide-late-{days}", _at(days=days)), "channel": f"c{days:03}"}
                    for days in (0, 2, 150, 200)]
            self.product.wait("events with a channel to be taken", lambda: (
                self.sender.send("/events", late).status == 202), _SECONDS)
        finally:
            stop.set()
            flowing.join()
        self.assertEqual([], self.failures)
        self.assertGreater(len(flow), 0)
        expected = {event["event_id"]: _row(event) for event in old + late} | flow
        self.product.wait("all documents in their places", lambda: (
            self._said_of("wide-") == expected), _SECONDS)
        self.assertEqual(before, self.product.index("events")["alias"])
        self.assertEqual([], [name for name in self._indices("events-*")
                              if not name.startswith(before)], "nothing is built anew")
        for event in late:
            name = f"{before}-{event['timestamp'][:10]}"
            status, answer = self.stack.search.request("GET", f"/{name}/_mapping")
            self.assertEqual(200, status)
            self.assertIn("channel", answer[name]["mappings"]["properties"])
        self._wait_read(set(expected))
        self._check_channels(late)

        self.assertEqual(dead, self.product.index("events")["deadLetters"])
        path.write_text(re.sub(r"event_type: {type: keyword[^}]*}",
                               "event_type: {type: keyword, ignore_above: 300}", text),
                        encoding="utf-8")
        self.product.wait("why it is built anew", lambda: (
            "(field event_type is declared otherwise)" in self.product.index("events")["message"]),
            _SECONDS)
        self.product.wait("another index", lambda: (
            self.product.index("events")["alias"] not in (None, before)), _SECONDS)
        self.product.wait("all documents in it", lambda: (
            self._said_of("wide-") == expected), _SECONDS)

    def _check_channels(self, late: list[dict[str, str]]) -> None:
        """Queries of all partitions know the field, also where no document has it."""
        channels = sorted(event["channel"] for event in late)
        for asked in ({"equals": {"field": "channel", "value": channels[-1]}},
                      {"exists": {"field": "channel"}},
                      {"prefix": {"field": "event_id", "value": "wide-"}}):
            status, answer = self._query("events", "POST", "/search", {
                "filter": asked, "sort": [{"field": "channel"}], "size": 1000})
            self.assertEqual(200, status, answer)
            found = [hit["source"]["channel"] for hit in answer["hits"]
                     if hit["source"].get("channel") is not None]
            self.assertEqual(channels[-1:] if "equals" in asked else channels, found)
        status, answer = self._query("events", "POST", "/search", {
            "size": 0, "facets": {"channels": {"field": "channel"}}})
        self.assertEqual(200, status, answer)
        self.assertEqual(channels, sorted(
            bucket["value"] for bucket in answer["facets"]["channels"]["buckets"]))

    def _declare(self, path: Path, text: str) -> None:
        """Until workers run with it."""
        before = self._workers()
        path.write_text(text, encoding="utf-8")
        self.product.wait("workers with another configuration", lambda: (
            len(self._workers()) == 2 and not before & self._workers()), _SECONDS)
        self.product.wait_ready("worker", _SECONDS)

    def _workers(self) -> set[int]:
        return {child.pid for child in self.product.children("worker")
                if child.name.startswith("worker-events-")}

    def _flow(self, stop: threading.Event, sent: dict[str, dict]) -> None:
        """Events without a channel, one after the other."""
        sender = Sender(self.product, "event")
        try:
            for number in itertools.count():
                event = _event(f"wide-flow-{number}", _at(days=number % 3))
                deadline = time.monotonic() + 180
                while not self._acknowledged(sender, [event]):
                    if time.monotonic() > deadline:
                        raise TimeoutError(event["event_id"])
                    time.sleep(0.05)  # as Retry-After asks, but for a test
                sent[event["event_id"]] = _row(event)
                if stop.wait(0.05):
                    return
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(repr(error))
        finally:
            sender.close()

    def _said_of(self, prefix: str) -> dict[str, dict]:
        """As _places(), without what is null."""
        return {key: {name: value for name, value in document.items() if value is not None}
                for key, document in self._places("events", prefix, 10).items()}

    def test_pages_say_what_is_answered(self):
        self.product.wait_ready("query", _SECONDS)
        host, port = self.sender.address()
        environment = {**os.environ, "EVENTS": f"http://{host}:{port}",
                       "QUERY": f"http://{self._service('events')}",
                       "TIMELINES": f"http://{self._service('timelines')}"}
        self.sender.take("/events", _event("typed", _at(), "eve"))
        ran = 0
        for page in _PAGES:
            text = page.read_text(encoding="utf-8")
            for script, expected in examples(text):
                with self.subTest(script):
                    self.product.wait(f"answer to {script}", lambda: self._said(
                        script, environment, expected), _SECONDS)
                    ran += 1
            for declared in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
                self.assertIn(declared.strip(), (_EXAMPLE / "resources" / "events.yaml").read_text(
                    encoding="utf-8"))
        self.assertGreaterEqual(ran, 5)
        for query in (_EXAMPLE / "queries").glob("*.json"):
            status, answer = self._query("events", "POST", "/search",
                                         json.loads(query.read_text(encoding="utf-8")))
            self.assertEqual(200, status, answer)
            self.assertIn(answer["partitions"], (1, 2, 3))

    @staticmethod
    def _said(script: str, environment: dict[str, str], expected: Any) -> bool:
        done = subprocess.run(["bash", "-e", "-c", script], env=environment, text=True,
                              capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise ConnectionError(done.stderr)  # not yet: it may answer 504 where all is slow
        answers = list(json_values(done.stdout))
        return bool(answers) and all(_holds(expected, answer) for answer in answers)

    def test_retention_drops_whole_indices_and_only_becomes_shorter(self):
        days = {f"kept-{days}": _at(days=days) for days in (1, 30, 50, 90)}
        self.sender.take("/events", [_event(key, at) for key, at in days.items()])
        self._wait_read(set(days))
        path = self.resources / "events.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("retain: 730d", "retain: 40d"), encoding="utf-8")
        old = {days["kept-50"][:10], days["kept-90"][:10]}
        self.product.wait("old partitions dropped", lambda: not old & {
            name[-10:] for name in self._partitions("events")}, _SECONDS)
        self.assertEqual({"kept-1", "kept-30"}, set(self._places("events", "kept-", 10)))
        self.product.wait("old rows deleted from the log", lambda: self._metric(
            "worker", "searchsync_worker_rows_expired_total", "events") >= 2, _SECONDS)
        path.write_text(text, encoding="utf-8")
        self.product.wait("a word on it", lambda: (
            "keeps partitions for 960 hours, not 17520" in self.product.index("events")["message"]),
            _SECONDS)
        expired = self._metric("worker", "searchsync_worker_documents_expired_total", "events")
        self.sender.take("/events", [_event("kept-again", _at(days=50)),
                                     _event("kept-now", _at())])
        self._wait_read({"kept-now"})
        self.product.wait("a count of it", lambda: self._metric(
            "worker", "searchsync_worker_documents_expired_total", "events") > expired, _SECONDS)
        self.assertFalse(old & {name[-10:] for name in self._partitions("events")})

    # What the engine has.

    def _indices(self, pattern: str) -> list[str]:
        status, answer = self.stack.search.request("GET", f"/{pattern}")
        self.assertEqual(200, status)
        return sorted(answer)

    def _partitions(self, index: str) -> list[str]:
        """Of the generation that is read."""
        own = self.product.index(index)["alias"]
        return [name for name in self._indices(f"{own}-*") if name != own]

    def _places(self, index: str, prefix: str, digits: int) -> dict[str, dict]:
        """By id the documents of the generation that is read. Errors: one is in two indices, or in
        that of another period."""
        found: dict[str, dict] = {}
        for name in self._partitions(index):
            for key, document in engine.documents(self.stack.search, name):
                if not key.startswith(prefix):
                    continue
                if key in found:
                    return {}  # it is moving
                self.assertEqual(name[-digits:], document["timestamp"][:digits])
                found[key] = document
        return found

    def _searches(self) -> dict[str, int]:
        status, answer = self.stack.search.request("GET", "/events-*/_stats/search")
        self.assertEqual(200, status)
        return {name: stats["primaries"]["search"]["query_total"]
                for name, stats in answer["indices"].items()}

    def _ask_watched(self, body: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """The answer, and the partitions that the engine has searched for it."""
        before = self._searches()
        status, answer = self._query("events", "POST", "/search", body)
        self.assertEqual(200, status, answer)
        own = self.product.index("events")["alias"]
        return answer, {name for name, count in self._searches().items()
                        if count > before.get(name, 0) and name != own}

    # What the product says.

    def _service(self, index: str) -> str:
        child = self.product.child(f"query-{index}")
        if child is None:
            raise KeyError(f"query-{index}")  # not yet
        return child.address

    def _query(self, index: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = Connection(self._service(index))
        try:
            return connection.request(method, f"/v1/{index}{path}", body)
        finally:
            connection.close()

    def _wait_read(self, keys: set[str]) -> None:
        """Until queries find them."""
        def found() -> bool:
            status, answer = self._query("events", "POST", "/count", {"filter": {
                "in": {"field": "event_id", "values": sorted(keys)}}})
            self.assertIn(status, (200, 504), answer)  # 504: on a slow machine
            return status == 200 and answer["count"] == len(keys)
        self.product.wait(f"{len(keys)} documents", found, _SECONDS)

    def _metric(self, role: str, name: str, index: str) -> float:
        """The sum over the processes that run."""
        return sum(self._values(role, name, index))

    def _values(self, role: str, name: str, index: str) -> Iterator[float]:
        for child in self.product.children(role):
            for line in text_of(child.address, "/metrics")[1].splitlines():
                if line.startswith(name + "{") and f'index="{index}"' in line:
                    yield float(line.rsplit(" ", 1)[1])


def _holds(expected: Any, answer: Any) -> bool:
    """Whether the answer has what is expected; members of objects it may have more."""
    if isinstance(expected, dict):
        return all(name in answer and _holds(value, answer[name])
                   for name, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(answer) and all(map(_holds, expected, answer))
    return expected == answer


if __name__ == "__main__":
    unittest.main()
