"""Events that are counted, end to end: every counter equals a fold of what was acknowledged,
whatever is killed, paused or rebalanced meanwhile.

SEED repeats a history of events and the order of faults; SEARCH chooses the engine.
"""

import itertools
import json
import os
import random
import re
import statistics
import subprocess
import threading
import time
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

from e2e.harness import Child, SearchSync, engine, records, render
from e2e.harness.dead_letters import dead_letters
from e2e.harness.query import Query
from e2e.harness.sender import Sender
from e2e.servers import ServersError, Stack

_RESOURCES = Path(__file__).parent / "aggregate"
_PAGE = Path(__file__).parents[1] / "docs" / "aggregates.md"
_PARTITIONS = 4
_SECONDS = 600
_SENDERS = 2
_BATCH = 60
_GETS = 200
_BROKEN = (b"no JSON", b'{"page": 7.5e999999}', b'["a list"]')


class Fold:
    """What has become of each domain, by a plain loop over its events in their order."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.documents: dict[str, dict[str, Any]] = {}

    def add(self, event: dict[str, Any]) -> None:
        if event["event_id"] in self._seen:
            return
        self._seen.add(event["event_id"])
        row = self.documents.setdefault(event["domain"], {
            "domain": event["domain"], "delivered": 0, "bounced": 0, "bytes": Decimal(0),
            "firstAt": event["at"], "lastType": None, "status": "unknown"})
        if event["type"] in ("delivered", "bounced"):
            row[event["type"]] += 1
        row["bytes"] += Decimal(event["bytes"])
        row["firstAt"] = min(row["firstAt"], event["at"])
        row["lastType"] = event["type"]
        if row["bounced"] > 0:
            row["status"] = "not-catch-all"
        elif row["delivered"] > 20:
            row["status"] = "catch-all"


def _text(event: dict[str, Any]) -> str:
    """As JSON, its bytes as a number that is no float."""
    return json.dumps(event).replace(f'"{event["bytes"]}"', event["bytes"])


class Events:
    """Sends events of domains of its own, some of them twice: each batch until it is acknowledged,
    then the next. fold: of all that was."""

    def __init__(self, product: SearchSync, number: int, seed: int):
        self._sender = Sender(product, "domain")
        self._number = number
        self._random = random.Random(f"{seed} {number}")
        self._recent: list[dict[str, Any]] = []
        self.fold = Fold()
        self.sent = 0
        self.repeated = 0   # by choice
        self.unanswered = 0  # batches that were sent again

    def send(self, count: int) -> None:
        self.post([self._event() for _ in range(count)])

    def post(self, events: list[dict[str, Any]]) -> None:
        body = f"[{','.join(map(_text, events))}]"
        deadline = time.monotonic() + _SECONDS
        while not self._acknowledged(body, len(events)):
            self.unanswered += 1
            if time.monotonic() > deadline:
                raise ServersError(f"sender {self._number}: not acknowledged: {body[:200]}")
            time.sleep(0.05)  # as Retry-After asks, but for a test
        for event in events:
            self.fold.add(event)
        self.sent += len(events)

    def close(self) -> None:
        self._sender.close()

    def _acknowledged(self, body: str, count: int) -> bool:
        try:
            answer = self._sender.send("/events", body)
        except (OSError, KeyError, ServersError):
            return False
        if answer.status == 202:
            return answer.body["accepted"] == count
        if answer.status in (429, 503):
            return False
        raise ServersError(f"sender {self._number}: {answer}")

    def _event(self) -> dict[str, Any]:
        if self._recent and self._random.random() < 0.1:
            self.repeated += 1
            return self._random.choice(self._recent)
        rank = int(self._random.paretovariate(0.6))
        domain = rank if rank < 300 else self._random.randrange(300)
        bounces = 0.3 if domain % 3 == 0 else 0.0
        event = {"domain": f"d{domain}.s{self._number}.example",
                 "event_id": f"{self._random.getrandbits(64):x}",
                 "type": "bounced" if self._random.random() < bounces else
                         self._random.choice(("delivered", "delivered", "opened")),
                 "bytes": f"{self._random.randrange(100_000)}.{self._random.randrange(100):02}",
                 "at": f"2026-01-{self._random.randrange(1, 29):02}T00:00:00.000000Z"}
        self._recent = (self._recent + [event])[-300:]
        return event


class Visits:
    """Writes events into Kafka itself, some of them broken. pages: how often each was visited."""

    def __init__(self, stack: Stack, seed: int):
        self._kafka = stack.kafka
        self._random = random.Random(f"{seed} visits")
        self.pages: Counter[str] = Counter()
        self.broken = 0

    def write(self, count: int, broken: int = 0) -> None:
        batch: list[tuple[bytes, bytes]] = []
        for _ in range(count):
            page = f"p{self._random.randrange(50)}"
            self.pages[page] += 1
            batch.append((page.encode(), json.dumps({"page": page}).encode()))
        for _ in range(broken):
            self.broken += 1
            batch.insert(self._random.randrange(len(batch)),
                         (b"p0", self._random.choice(_BROKEN)))
        records.produce(self._kafka, "visits", batch, partitioner="murmur2_random")


class Load:
    """Runs functions over and over, each in a thread of its own, inside its `with`."""

    def __init__(self, *functions: Callable[[], None]):
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(one,), daemon=True)
                         for one in functions]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _run(self, function: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                function()
                self._stopping.wait(0.1)
        except BaseException as error:  # for __exit__() to raise
            self._errors.append(error)


class AggregateTest(unittest.TestCase):
    """One set of servers and one searchsync for all; the tests run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("SEED", random.randrange(1_000_000)))
        print(f"SEED={cls.seed}", flush=True)
        cls.random = random.Random(cls.seed)
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))
        cls.stack.kafka.create_topic("visits", _PARTITIONS)
        cls.visits = Visits(cls.stack, cls.seed)
        cls.visits.write(500)  # that are there before anything else
        cls.resources = cls.stack.run_dir / "resources"
        render(_RESOURCES, cls.resources,
               {"${SEARCH}": cls.stack.search.url, "${KAFKA}": cls.stack.kafka.address})
        (cls.resources / "domain.yaml").write_text(_binding(), encoding="utf-8")
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        cls.product.wait_served("domains", _SECONDS)
        cls.product.wait_served("visits", _SECONDS)
        cls.events = [Events(cls.product, number, cls.seed) for number in range(_SENDERS)]
        for events in cls.events:
            cls.addClassCleanup(events.close)

    def test_1_counters_equal_the_fold_whatever_is_killed(self):
        faults = [*3 * [lambda: self._kill("ingest")], *4 * [lambda: self._kill("aggregate")],
                  *2 * [lambda: self._kill("worker")], self._sleep_through_a_session]
        self.random.shuffle(faults)
        senders = [lambda one=events: one.send(_BATCH) for events in self.events]
        with Load(*senders, lambda: self.visits.write(20, broken=1)):
            for fault in faults:
                goal = self._sent() + 2 * _BATCH
                self.product.wait("events that are taken", lambda least=goal: (
                    self._sent() >= least), _SECONDS)
                time.sleep(self.random.uniform(0, 1))
                fault()
        self._check()
        print(f"{self._sent()} events, "
              f"{sum(one.repeated for one in self.events)} of them again, "
              f"{sum(one.unanswered for one in self.events)} batches sent again, "
              f"{sum(self.visits.pages.values())} visits, {self.visits.broken} broken", flush=True)
        self.assertTrue(all(one.repeated > 0 for one in self.events))
        self.assertGreater(self.visits.broken, 0)

    def test_2_processes_come_and_go(self):
        with Load(*(lambda one=events: one.send(_BATCH) for events in self.events)):
            for replicas in (1, 3):
                self._edit(r"aggregates: \{replicas: \d", f"aggregates: {{replicas: {replicas}",
                           lambda n=replicas: len(self._running("aggregate")) == n)
        self._check()

    def test_3_a_status_leaves_at_once_and_sticks(self):
        """The counts of another domain, in the same request and partition, wait for their interval:
        the status has left in a transaction before theirs."""
        for number in range(5):  # a machine that stands still for 2 s has both leave together
            apart = self._status_before_counts(f"quick{number}.example", f"calm{number}.example")
            if apart:
                break
        self.assertTrue(apart, "the status did not leave before the counts")
        self._check()

    def test_4_what_cannot_be_counted_is_a_dead_letter_once(self):
        def places() -> Counter[tuple[int, int]]:
            return Counter(letter.place for letter in dead_letters(self.stack.kafka, "visits"))
        self.product.wait("all dead letters", lambda: len(places()) == self.visits.broken, _SECONDS)
        self.assertEqual({1}, set(places().values()))

    def test_5_events_that_are_not_keyed_by_their_group_are_refused(self):
        records.produce(self.stack.kafka, "visits", [(b"other", b'{"page": "strange"}')])
        self.product.wait("dead letter of the strange event", lambda: any(
            "the record's key is other, expected strange" in letter.reason
            for letter in dead_letters(self.stack.kafka, "visits")), _SECONDS)
        self._check()

    def test_6_one_domain_is_read_by_its_id(self):
        query = Query(self.product.wait_ready("query").address, "domains")
        self.addCleanup(query.close)
        want = self._want()
        millis = []
        for domain in self.random.sample(sorted(want), k=min(_GETS, len(want))):
            began = time.perf_counter()
            found = query.document(domain)
            millis.append(1000 * (time.perf_counter() - began))
            self.assertEqual({**want[domain], "bytes": float(want[domain]["bytes"])}, found)
        self.assertIsNone(query.document("never.example"))
        cuts = statistics.quantiles(millis, n=20)
        print(f"{len(millis)} GETs of a domain: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms",
              flush=True)

    def test_7_the_page_says_what_is_answered(self):
        """The commands of docs/aggregates.md, typed; but for places in the log."""
        host, port = self.events[0]._sender.address()
        environment = {**os.environ, "EVENTS": f"http://{host}:{port}",
                       "QUERY": f"http://{self.product.wait_ready('query').address}"}

        def typed(command: str) -> str:
            return _alike(subprocess.run(["bash", "-c", command], env=environment, text=True,
                                         capture_output=True, check=True, timeout=120).stdout)
        blocks = re.findall(r"^\$ (curl .*)\n(\{.*)$", _page(), re.MULTILINE)
        self.assertEqual(3, len(blocks))
        for command, said in blocks:
            self.product.wait(f"what the page says of {command}",
                              lambda: typed(command).strip() == _alike(said).strip(), _SECONDS)

    def test_8_another_definition_is_counted_from_the_first_event(self):
        before = set(self._indices())
        want = self._want()
        self._edit(r"\{name: delivered, where: .*\}",
                   "{name: delivered, where: [{column: type, values: [delivered, opened]}]}",
                   lambda: before.isdisjoint(self._indices()))
        self.product.wait_served("domains", _SECONDS)
        documents = dict(engine.documents(self.stack.search, "domains"))
        self.assertLessEqual(want.keys(), documents.keys())
        self.assertGreater(sum(documents[domain]["delivered"] for domain in want),
                           sum(row["delivered"] for row in want.values()))
        self.assertTrue(all(documents[domain]["bounced"] == row["bounced"]
                            for domain, row in want.items()))

    def _status_before_counts(self, quick: str, calm: str) -> bool:
        event = {"type": "delivered", "bytes": "1", "at": "2026-01-01T00:00:00.000000Z"}
        ids = (f"{quick}-{number}" for number in itertools.count())
        quick, calm = self._in_one_partition(quick, calm)

        def post(*kinds: tuple[str, str]) -> None:
            self.events[0].post([{**event, "domain": domain, "type": kind, "event_id": next(ids)}
                                 for domain, kind in kinds])
        post(*(21 * [(quick, "delivered")]), (calm, "delivered"))
        self._wait_documents({quick: "catch-all", calm: "unknown"}, 1)
        post((calm, "delivered"), (quick, "bounced"))
        self._wait_documents({quick: "not-catch-all", calm: "unknown"}, 2)
        post(*(30 * [(quick, "delivered")]))  # it sticks: _check() sees that
        rows = [(record.offset, json.loads(record.value)) for record in
                records.consume(self.stack.kafka, self._table())
                if record.key in (quick.encode(), calm.encode())]
        status = next(offset for offset, row in rows if row["status"] == "not-catch-all")
        counts = next(offset for offset, row in rows
                      if row["domain"] == calm and row["delivered"] == 2)
        return counts > status + 1  # the end of a transaction is between them

    def _in_one_partition(self, one: str, other: str) -> tuple[str, str]:
        """Domains that begin so, by where their first events came."""
        def partition(domain: str) -> int:
            self.events[0].post([{"domain": domain, "event_id": f"first-{domain}", "bytes": "1",
                                  "type": "opened", "at": "2026-01-01T00:00:00.000000Z"}])
            return next(record.partition for record in
                        records.consume(self.stack.kafka, "searchsync.default.domain.events")
                        if record.key == domain.encode())
        wanted = partition(one)
        return one, next(domain for domain in (f"{number}.{other}" for number in itertools.count())
                         if partition(domain) == wanted)

    def _wait_documents(self, status: dict[str, str], delivered: int) -> None:
        """delivered: of those that are unknown."""
        def there() -> bool:
            found = {domain: engine.source(self.stack.search, "domains", domain) or {}
                     for domain in status}
            return all(found[domain].get("status") == expected and (
                expected != "unknown" or found[domain].get("delivered") == delivered)
                for domain, expected in status.items())
        self.product.wait(f"{status}", there, _SECONDS)

    def _table(self) -> str:
        return next(topic for topic in self.stack.kafka.topics()
                    if topic.startswith("searchsync.default.domains.table-"))

    def _indices(self) -> list[str]:
        """Those that the alias shows."""
        status, answer = self.stack.search.request("GET", "/_alias/domains")
        return list(answer) if status == 200 else []

    def _running(self, role: str) -> list[Child]:
        """Those of domains."""
        return [child for child in self.product.children(role) if "domains" in child.name]

    def _any(self, role: str) -> Child:
        self.product.wait(f"running {role}", lambda: bool(self._running(role)), _SECONDS)
        return self.random.choice(self._running(role))

    def _kill(self, role: str) -> None:
        while True:
            child = self._any(role)
            try:
                return child.kill()
            except ServersError:  # it has just gone: another
                continue

    def _sleep_through_a_session(self) -> None:
        """It wakes up when its partitions are somebody else's."""
        while True:
            child = self._any("aggregate")
            try:
                child.pause()
                break
            except ServersError:  # it has just gone: another
                continue
        time.sleep(9)
        child.resume()

    def _edit(self, old: str, new: str, done: Callable[[], bool]) -> None:
        edited = 0
        for path in self.resources.glob("domain*.yaml"):
            text, count = re.subn(old, new, path.read_text(encoding="utf-8"))
            if count > 0:
                path.write_text(text, encoding="utf-8")
            edited += count
        self.assertEqual(1, edited)
        self.product.wait(f"effect of {new}", done, _SECONDS)

    def _sent(self) -> int:
        return sum(one.sent for one in self.events)

    def _want(self) -> dict[str, dict[str, Any]]:
        return {domain: row for one in self.events for domain, row in one.fold.documents.items()}

    def _check(self) -> None:
        """Every document equals the fold, when all that was sent has come through."""
        self._check_index("domains", self._want())
        self._check_index("visits", {page: {"page": page, "visits": count}
                                     for page, count in self.visits.pages.items()})
        self.product.wait_ready("aggregate", _SECONDS)

    def _check_index(self, index: str, want: dict[str, dict[str, Any]]) -> None:
        found: dict[str, dict[str, Any]] = {}

        def equal() -> bool:
            found.clear()
            found.update(engine.documents(self.stack.search, index, parse=_exact))
            return found == want
        try:
            self.product.wait(f"{index} that equal the fold", equal, _SECONDS)
        except ServersError as error:
            wrong = {key: (found.get(key), want.get(key)) for key in found.keys() | want.keys()
                     if found.get(key) != want.get(key)}
            self.fail(f"SEED={self.seed}: {len(wrong)} of {len(want)} in {index} differ, such as "
                      f"{dict(list(wrong.items())[:3])}: {error}")


def _page() -> str:
    return _PAGE.read_text(encoding="utf-8")


def _binding() -> str:
    """That of the page, with fewer events to a status, and more time between two rows."""
    text = re.search(r"^```yaml\n(.*?)^```$", _page(), re.MULTILINE | re.DOTALL)[1]
    for said, here in (("min: 1001", "min: 21"), ("interval: 1s", "interval: 2s")):
        assert text.count(said) == 1, said
        text = text.replace(said, here)
    return text


def _exact(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def _alike(answer: str) -> str:
    """Without places in the log, and ids that were made up."""
    answer = re.sub(r'"(partition|offset|version)":\d+', r'"\1":0', answer)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", answer)


if __name__ == "__main__":
    unittest.main()
