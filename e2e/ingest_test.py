"""Events over HTTP, on real servers: what is taken becomes documents, what is acknowledged is never
lost, and nothing that anybody sends stops it. SEARCH chooses the engine.
"""

import contextlib
import gzip
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time
import unittest
import uuid
from pathlib import Path
from typing import Any

from e2e.harness import SearchSync, engine, records, render, write_secret
from e2e.harness.product import text_of
from e2e.harness.sender import Answer, Sender
from e2e.servers import Authority, Stack

_RESOURCES = Path(__file__).parent / "ingest"
_PAGE = Path(__file__).parents[1] / "docs" / "ingest.md"
_SECONDS = 600
_TOKEN = "0123456789abcdef0123456789abcdef"
_OTHER_TOKEN = "another-token-of-another-sender"
_TOPIC = "searchsync.default.event.events"
_SENDERS = 6
_BATCHES = 40
_BATCH = 20
_KILLS = 3


def _yaml_of(page: str) -> str:
    return re.search(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]


def _alike(answer: str) -> str:
    """Without ids that were made up, and places in the log."""
    answer = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", answer)
    return re.sub(r'"(partition|offset)":\d+', r'"\1":0', answer)


class IngestTest(unittest.TestCase):
    """One set of servers and one searchsync for all; each test sends events of domains of its
    own."""

    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))
        cls.resources = cls.stack.run_dir / "resources"
        cls.authority = Authority(cls.stack.run_dir / "authority")
        write_secret(cls.resources, "senders", {"tokens": f"# two\n{_TOKEN}\n{_OTHER_TOKEN}\n"})
        write_secret(cls.resources, "sealed-tls", {
            "tls.crt": cls.authority.server_certificate.read_text(encoding="ascii"),
            "tls.key": cls.authority.server_key.read_text(encoding="ascii")})
        render(_RESOURCES, cls.resources,
               {"${SEARCH}": cls.stack.search.url, "${KAFKA}": cls.stack.kafka.address})
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        for index in ("events", "sealed"):
            cls.product.wait_served(index, _SECONDS)
        for binding in ("event", "letter"):
            cls.product.wait(f"events of {binding} to be taken", lambda: (
                cls.product.binding(binding)["state"] == "Running"), _SECONDS)

    def setUp(self):
        self.sender = Sender(self.product, "event", _TOKEN)
        self.addCleanup(self.sender.close)

    # What is taken.

    def test_an_event_becomes_a_document(self):
        taken = self.sender.take("/events", {
            "event_id": "one", "domain": "one.example", "kind": "bounced", "number": 7,
            "at": "2026-01-31T14:00:00+02:00", "more": {"reason": ["550", None]}})
        self.assertEqual(1, taken["accepted"])
        receipt = taken["receipts"][0]
        self.assertEqual("one", receipt["eventId"])
        document = {"event_id": "one", "domain": "one.example", "kind": "bounced", "number": 7,
                    "at": "2026-01-31T12:00:00.000000Z", "more": {"reason": ["550", None]}}
        self._wait_document("one", document)
        record = next(record for record in records.consume(self.stack.kafka, _TOPIC)
                      if (record.partition, record.offset)
                      == (receipt["partition"], receipt["offset"]))
        self.assertEqual(b"one.example", record.key)
        self.assertEqual(document, json.loads(record.value))
        self.assertEqual(list(document), list(json.loads(record.value)), "in their order")

    def test_what_is_absent_is_filled_in(self):
        before = time.time()
        receipts = self.sender.take("/events/two.example/delivered", method="PUT")["receipts"]
        receipts += self.sender.take("/events/two.example/bounced", {"number": 1},
                                     method="PUT")["receipts"]
        for receipt, kind, number in zip(receipts, ("delivered", "bounced"), (None, 1)):
            self.assertEqual(7, uuid.UUID(receipt["eventId"]).version)
            found = self._wait(receipt["eventId"])
            at = found.pop("at")
            self.assertRegex(at, r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assertGreaterEqual(at[:19], time.strftime("%Y-%m-%dT%H:%M:%S",
                                                           time.gmtime(before)))
            self.assertEqual({"event_id": receipt["eventId"], "domain": "two.example",
                              "kind": kind, "number": number, "more": None}, found)

    def test_every_form_of_a_batch(self):
        for form, (body, headers) in {
                "array": (json.dumps(self._batch("array")), {}),
                "lines": ("\n".join(map(json.dumps, self._batch("lines"))),
                          {"Content_Type": "application/x-ndjson"}),
                "gzip": (gzip.compress(json.dumps(self._batch("gzip")).encode()),
                         {"Content_Encoding": "gzip"}),
                "gzip-lines": (gzip.compress("\n".join(
                    map(json.dumps, self._batch("gzip-lines"))).encode()),
                    {"Content_Encoding": "gzip", "Content_Type": "application/x-ndjson"}),
        }.items():
            with self.subTest(form):
                taken = self.sender.take("/events?receipts=none", body, **headers)
                self.assertEqual({"accepted": 20}, taken)
                for number in range(20):
                    self.assertEqual(number, self._wait(f"{form}-{number}")["number"])

    def test_the_same_event_twice_is_one_document(self):
        for number in (1, 2):
            self.sender.take("/events", 3 * [{"event_id": "same", "domain": "same.example",
                                              "kind": "delivered", "number": number}])
        self.product.wait("newest of the same event", lambda: (
            self._source("same") or {}).get("number") == 2, _SECONDS)
        self._refresh()
        status, answer = self.stack.search.request("GET", "/events/_count?q=domain:same.example")
        self.assertEqual((200, 1), (status, answer["count"]))

    def test_the_good_ones_are_taken_where_that_is_asked_for(self):
        batch = self._batch("mixed")
        batch[3]["kind"] = "opened"
        del batch[9]["domain"]
        refused = self.sender.send("/events", batch)
        self.assertEqual((400, "invalid_events"), (refused.status, refused.code))
        self.assertEqual([(3, "kind"), (9, "domain")], [
            (fault["index"], fault["field"]) for fault in refused.body["error"]["faults"]])
        taken = self.sender.take("/events?onError=accept", batch)
        self.assertEqual(18, taken["accepted"])
        self.assertEqual([3, 9], [rejected["index"] for rejected in taken["rejected"]])
        self.assertEqual([number for number in range(20) if number not in (3, 9)],
                         [receipt["index"] for receipt in taken["receipts"]])
        self._wait("mixed-19")
        self.assertIsNone(self._source("mixed-3"))

    def test_over_tls(self):
        trusting = ssl.create_default_context(cadata=self.authority.pem)
        sealed = Sender(self.product, "letter", tls=trusting)
        self.addCleanup(sealed.close)
        self.assertEqual(1, sealed.take("/letters", {"id": "a"})["accepted"])
        self.product.wait("sealed letter", lambda: engine.source(
            self.stack.search, "sealed", "a") == {"id": "a"}, _SECONDS)
        stranger = Sender(self.product, "letter", tls=ssl.create_default_context())
        with self.assertRaisesRegex(ConnectionError, "CERTIFICATE_VERIFY_FAILED"):
            stranger.send("/letters", {"id": "b"})
        with self.assertRaises(OSError):
            with contextlib.closing(socket.create_connection(sealed.address(), 10)) as plain:
                plain.sendall(b"POST /letters HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
                              b'{"id":"c"}')
                plain.settimeout(10)
                if b"202" not in plain.recv(1000):
                    raise ConnectionError("refused without TLS")
        self.assertEqual(1, sealed.take("/letters", {"id": "d"})["accepted"])

    def test_the_page_says_what_is_answered(self):
        """The commands of docs/ingest.md, typed; but for what is another each time."""
        page = _PAGE.read_text(encoding="utf-8")
        host, port = self.sender.address()
        environment = {**os.environ, "EVENTS": f"http://{host}:{port}", "TOKEN": _TOKEN}
        blocks = re.findall(r"^```console\n\$ (.*?)\n(\{.*?)\n```$", page, re.MULTILINE | re.DOTALL)
        self.assertEqual(4, len(blocks))
        for command, said in blocks:
            with self.subTest(command):
                done = subprocess.run(["bash", "-c", command], env=environment, text=True,
                                      capture_output=True, check=True, timeout=120)
                self.assertEqual(_alike(said), _alike(done.stdout))
        declared = _yaml_of(page)
        folder = self.stack.run_dir / "page"
        folder.mkdir()
        index = (self.resources / "events.yaml").read_text(encoding="utf-8").split("---")[0]
        (folder / "index.yaml").write_text(index, encoding="utf-8")
        (folder / "event.yaml").write_text(declared, encoding="utf-8")
        checked = subprocess.run(self.product.command("validate", str(folder)), text=True,
                                 capture_output=True, check=False, timeout=120)
        self.assertEqual(0, checked.returncode, checked.stdout + checked.stderr)

    # What is not.

    def test_bad_input_is_named_and_the_service_stays(self):
        good = {"domain": "bad.example", "kind": "delivered"}
        text = {"Content_Type": "application/x-ndjson"}
        cases: list[tuple[str, Any, dict, int, str, str]] = [
            ("malformed", "{", {}, 400, "malformed", "JSON"),
            ("not UTF-8", b'{"domain":"\xff"}', {}, 400, "malformed", "UTF"),
            ("no event", "7", {}, 400, "malformed", "expected an event"),
            ("more behind", "{} {}", {}, 400, "malformed", "more behind"),
            ("a bad line", json.dumps(good) + "\n{", text, 400, "invalid_events", '"index": 1'),
            ("wrong type", {**good, "number": "7"}, {}, 400, "invalid_events",
             "expected a whole number, found a string"),
            ("unknown field", {**good, "kid": 1}, {}, 400, "invalid_events",
             "is no field of these events, did you mean `kind`?"),
            ("missing", {"domain": "a"}, {}, 400, "invalid_events", '"field": "kind"'),
            ("too long", {**good, "domain": 254 * "x"}, {}, 400, "invalid_events",
             "has 254 bytes: expected at most 253"),
            ("no time", {**good, "at": "yesterday"}, {}, 400, "invalid_events",
             "expected a time such as"),
            ("out of bounds", {**good, "number": -1}, {}, 400, "invalid_events", "at least 0"),
            ("twice", '{"domain":"a","domain":"b","kind":"bounced"}', {}, 400, "invalid_events",
             "is there twice"),
            ("deep", {**good, "more": json.loads(100 * "[" + 100 * "]")}, {}, 400,
             "invalid_events", "nested more than"),
            ("very deep", 30_000 * "[" + 30_000 * "]", {}, 400, "", ""),
            ("large event", {**good, "more": 5000 * "x"}, {}, 400, "invalid_events",
             "bytes as it would be kept: expected at most 4096"),
            ("large body", json.dumps(good) + 70_000 * " ", {}, 413, "payload_too_large", ""),
            ("many events", 501 * [good], {}, 413, "too_many_events", "more than 500"),
            ("a bomb", gzip.compress(b" " * 10_000_000), {"Content_Encoding": "gzip"}, 413,
             "payload_too_large", ""),
            ("cut gzip", gzip.compress(json.dumps(good).encode())[:-9],
             {"Content_Encoding": "gzip"}, 400, "bad_encoding", "gzip"),
            ("no gzip", good, {"Content_Encoding": "gzip"}, 400, "bad_encoding", "gzip"),
            ("other encoding", good, {"Content_Encoding": "zstd"}, 415, "unsupported_encoding", ""),
            ("a form", "a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415,
             "unsupported_type", "application/x-ndjson"),
            ("wrong token", good, {"Authorization": "Bearer " + 32 * "0"}, 401, "unauthorized", ""),
            ("no token", good, {"Authorization": ""}, 401, "unauthorized", ""),
        ]
        before = self.product.children("ingest")
        for name, body, headers, status, code, said in cases:
            with self.subTest(name):
                answer = self.sender.send("/events", body, **headers)
                self._assert_refused(answer, status, code, said)
        for path, status, code in (("/events?onError=perhaps", 400, "bad_parameter"),
                                   ("/events?verbose=1", 400, "bad_parameter"),
                                   ("/events/a/opened", 400, "invalid_events"),
                                   ("/events/%FF/bounced", 400, "invalid_events"),
                                   ("/events/a/b/c", 404, "not_found"),
                                   ("/metrics", 404, "not_found"),
                                   ("/events/" + 9000 * "x" + "/bounced", 414, "uri_too_long")):
            with self.subTest(path[:40]):
                self._assert_refused(self.sender.send(path, method="PUT"), status, code, "")
        self._assert_refused(self.sender.send("/events", method="GET"), 405, "method_not_allowed",
                             "")
        with contextlib.closing(socket.create_connection(self.sender.address(), 10)) as raw:
            raw.sendall(f"PUT /events/bare.example/bounced HTTP/1.1\r\nAuthorization: Bearer "
                        f"{_TOKEN}\r\n\r\n".encode())
            self.assertIn(b" 202 ", raw.recv(1000), "neither length nor body")
        for garbage in (b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                        b"POST /events HTTP/9\r\n",
                        b"POST /events HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                        b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"):
            with self.subTest(garbage):
                with contextlib.closing(socket.create_connection(self.sender.address(), 10)) as raw:
                    raw.sendall(garbage)
                    raw.shutdown(socket.SHUT_WR)
                    self.assertNotIn(b" 202 ", raw.recv(1000))
        self.assertEqual(before, self.product.children("ingest"))
        self.sender.take("/events", {**good, "event_id": "after-bad"})
        self._wait("after-bad")

    def test_who_is_slow_holds_up_nobody(self):
        with contextlib.ExitStack() as stack:
            for number in range(80):  # more than there are connections
                slow = stack.enter_context(contextlib.closing(
                    socket.create_connection(self.sender.address(), 10)))
                slow.sendall((b"", b"POST /events HT", b"POST /events HTTP/1.1\r\nContent-Length: "
                              b"1000\r\n\r\n{")[number % 3])
            ready = self.product.children("ingest")[0]
            self.assertEqual(200, text_of(ready.address, "/healthz")[0])
            self.product.wait("event beside the slow ones", lambda: self._try(
                {"event_id": "beside", "domain": "slow.example", "kind": "bounced"}), _SECONDS)
        self._wait("beside")

    def test_while_kafka_is_away_nothing_is_kept(self):
        event = {"event_id": "away", "domain": "away.example", "kind": "bounced"}
        address = self.sender.address()  # which the status does not know without Kafka
        self.sender = Sender(self.product, "event", _TOKEN, address=address)
        self.addCleanup(self.sender.close)
        self.stack.kafka.kill()
        refused = threading.Event()
        senders = [threading.Thread(target=self._hammer, args=(number, address, refused))
                   for number in range(4)]
        try:
            ingest = self.product.children("ingest")[0]
            for one in senders:
                one.start()
            try:  # it is behind only as long as somebody waits for Kafka
                self.product.wait("refusal while Kafka is away", lambda: (
                    text_of(ingest.address, "/readyz")[0] == 503
                    and self._status_of(event) == (503, "kafka_behind")), _SECONDS)
            finally:
                refused.set()
            for one in senders:
                one.join()
            metrics = text_of(ingest.address, "/metrics")[1]
            kept = next(float(line.split()[1]) for line in metrics.splitlines()
                        if line.startswith("searchsync_ingest_in_flight_bytes "))
            self.assertLessEqual(kept, 32 << 20)
        finally:
            self.stack.kafka.restart()
        self.product.wait("event once Kafka is back", lambda: self._try(event), _SECONDS)
        self._wait("away")
        self.product.wait("events to be taken again", lambda: (
            self.product.binding("event")["state"] == "Running"), _SECONDS)

    # What is acknowledged.

    def test_killed_at_any_moment_it_loses_nothing_and_keeps_the_order(self):
        work = [threading.Thread(target=self._send_in_order, args=(number,))
                for number in range(_SENDERS)]
        self.failures: list[str] = []
        self.done = 0
        for one in work:
            one.start()
        chance = random.Random(7)
        for kill in range(_KILLS):
            goal = (kill + 1) * _SENDERS * _BATCHES // (_KILLS + 1)
            self.product.wait(f"{goal} batches", lambda: self.done >= goal or self.failures,
                              _SECONDS)
            time.sleep(chance.uniform(0, 0.02))  # at any moment of a request
            victim = next(child for child in self.product.children("ingest")
                          if child.name == "ingest-events")
            victim.kill()
            self.product.wait_replaced(victim)
        for one in work:
            one.join()
        self.assertEqual([], self.failures)
        self._check_log()
        self._check_documents()

    def _send_in_order(self, number: int) -> None:
        """Each batch once the one before is acknowledged; what is not is sent again, as it was."""
        sender = Sender(self.product, "event", _TOKEN if number % 2 else _OTHER_TOKEN)
        try:
            for batch in range(_BATCHES):
                events = [{"event_id": f"ordered-{number}-{place}", "kind": "delivered",
                           "domain": f"ordered-{number}.example", "number": place}
                          for place in range(batch * _BATCH, (batch + 1) * _BATCH)]
                deadline = time.monotonic() + _SECONDS
                while not self._acknowledged(sender, events):
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"batch {batch} of {number}")
                    time.sleep(0.05)  # as Retry-After asks, but for a test
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
        if answer.status == 202:
            return len(answer.body["receipts"]) == len(events)
        if answer.status in (429, 503):
            return False
        raise AssertionError(answer)

    def _check_log(self) -> None:
        """Every event is there; for the first time, in the order in which it was sent."""
        seen: dict[str, list[int]] = {}
        places: dict[str, set[int]] = {}
        for record in records.consume(self.stack.kafka, _TOPIC):
            row = json.loads(record.value)
            if not row["event_id"].startswith("ordered-"):
                continue
            self.assertEqual(row["domain"].encode(), record.key)
            places.setdefault(row["domain"], set()).add(record.partition)
            numbers = seen.setdefault(row["domain"], [])
            if row["number"] not in numbers:
                numbers.append(row["number"])
        self.assertEqual(_SENDERS, len(seen))
        for domain, numbers in seen.items():
            self.assertEqual(list(range(_BATCHES * _BATCH)), numbers, domain)
            self.assertEqual(1, len(places[domain]))

    def _check_documents(self) -> None:
        expected = {f"ordered-{number}-{place}": place for number in range(_SENDERS)
                    for place in range(_BATCHES * _BATCH)}

        def there() -> bool:
            self._refresh()
            status, answer = self.stack.search.request(
                "GET", "/events/_count?q=event_id:ordered-*")
            return status == 200 and answer["count"] == len(expected)
        self.product.wait(f"{len(expected)} documents", there, _SECONDS)
        found = {key: document["number"]
                 for key, document in engine.documents(self.stack.search, "events")
                 if key.startswith("ordered-")}
        self.assertEqual(expected, found)

    def _hammer(self, number: int, address: tuple[str, int], refused: threading.Event) -> None:
        sender = Sender(self.product, "event", _TOKEN, address=address)
        deadline = time.monotonic() + 12  # longer than Kafka may take to acknowledge
        batch = 0
        while time.monotonic() < deadline or not refused.is_set():
            batch += 1
            with contextlib.suppress(OSError):
                sender.send("/events?onError=accept", self._batch(f"hammer-{number}-{batch}"))
        sender.close()

    def _assert_refused(self, answer: Answer, status: int, code: str, said: str) -> None:
        self.assertEqual(status, answer.status, answer)
        self.assertIn(code, answer.code)
        self.assertIn(said, json.dumps(answer.body))

    def _try(self, event: dict) -> bool:
        return self.sender.send("/events", event).status == 202

    def _status_of(self, event: dict) -> tuple[int, str]:
        answer = self.sender.send("/events", event)
        return answer.status, answer.code if answer.status != 202 else ""

    @staticmethod
    def _batch(name: str) -> list[dict]:
        return [{"event_id": f"{name}-{number}", "domain": f"{name}.example", "kind": "delivered",
                 "number": number} for number in range(20)]

    def _source(self, key: str) -> dict | None:
        return engine.source(self.stack.search, "events", key)

    def _refresh(self) -> None:
        self.stack.search.request("POST", "/events/_refresh")

    def _wait(self, key: str) -> dict:
        self.product.wait(f"document {key}", lambda: self._source(key) is not None, _SECONDS)
        return self._source(key) or {}

    def _wait_document(self, key: str, document: dict) -> None:
        self.product.wait(f"document {key} as {document}",
                          lambda: self._source(key) == document, _SECONDS)


if __name__ == "__main__":
    unittest.main()
