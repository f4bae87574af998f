"""Dead letters: seen, replayed when the cause is mended, dropped. SEARCH chooses the engine."""

import json
import subprocess
import unittest
from pathlib import Path
from typing import Any

from e2e.harness import SearchSync, engine, records, render
from e2e.harness.dead_letters import dead_letters, topic_of
from e2e.servers import Stack, wait_until

_RESOURCES = Path(__file__).parent / "dlq"
_SECONDS = 600


class DlqTest(unittest.TestCase):
    """One set of servers and one searchsync for all; each test has keys of its own, and leaves no
    open dead letter behind."""

    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))
        cls.resources = cls.stack.run_dir / "resources"
        render(_RESOURCES, cls.resources,
               {"${SEARCH}": cls.stack.search.url, "${KAFKA}": cls.stack.kafka.address})
        for topic in ("notes", "limited"):
            cls.stack.kafka.create_topic(topic, 1, {"cleanup.policy": "compact"})
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        for index in ("notes", "limited"):
            cls.product.wait_served(index, _SECONDS)

    def setUp(self):
        self.assertEqual([], self._letters("notes") + self._letters("limited"))

    def _dlq(self, command: str, index: str, *arguments: str, code: int = 0,
             folder: Path | None = None) -> str:
        """What it prints, errors included."""
        done = subprocess.run(
            self.product.command("dlq", command,
                                 str(folder or self.resources), index, *arguments),
            capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def _letters(self, index: str, *arguments: str) -> list[dict[str, Any]]:
        """Those that are open, oldest first."""
        listing = json.loads(self._dlq("list", index, "-o", "json", *arguments))
        return listing["letters"][::-1]

    def _wait_letters(self, index: str, count: int) -> list[str]:
        """Their positions, once there are that many, and the status says so."""
        self.product.wait(f"{count} dead letters of {index}", lambda: (
            len(self._letters(index)) == self.product.index(index)["deadLetters"] == count),
            _SECONDS)
        return [letter["position"] for letter in self._letters(index)]

    def _write(self, topic: str, key: str, **columns: Any) -> tuple[int, int]:
        row = {"id": key, **columns}
        return records.produce(self.stack.kafka, topic, [
            (json.dumps({"id": key}).encode(), json.dumps(row).encode())])[0]

    def _document(self, index: str, key: str) -> dict[str, Any] | None:
        return engine.source(self.stack.search, index, key)

    def _version(self, index: str, key: str) -> int:
        return self.stack.search.request("GET", f"/{index}/_doc/{key}")[1]["_version"]

    def _wait_document(self, index: str, key: str, document: dict[str, Any]) -> None:
        self.product.wait(f"{key} as {document}",
                          lambda: self._document(index, key) == document, _SECONDS)

    def _log_records(self) -> int:
        """Of the document logs of notes."""
        return sum(sum(self.stack.kafka.end_offsets(topic).values())
                   for topic in self.stack.kafka.topics()
                   if topic.startswith("searchsync.default.notes.log-"))

    def test_what_cannot_be_read_is_listed_shown_and_dropped(self):
        place = records.produce(self.stack.kafka, "notes", [(b"k\n", b"\xff no JSON")])[0]
        position = self._wait_letters("notes", 1)[0]
        table = self._dlq("list", "notes")
        self.assertRegex(table, rf"(?m)^{position} .* decode +note +notes 0/{place[1]} +k\\n ")
        self.assertIn("1 dead letter\n", table)
        self.assertEqual(self._letters("notes"), self._letters("notes", "--binding", "note"))
        self.assertEqual([], self._letters("notes", "--binding", "-"))
        self.assertEqual(1, self.product.binding("note")["deadLetters"])
        # As from inside of a worker's pod.
        config = next((self.stack.run_dir / "product" / "state" / "config").glob("worker-notes-*"))
        self.assertEqual(table, self._dlq("list", "notes", folder=config))

        shown = self._dlq("show", "notes", position)
        self.assertIn(f"topic notes partition 0 offset {place[1]}\n", shown)
        self.assertIn(r"\xff no JSON", shown)
        whole = json.loads(self._dlq("show", "notes", position, "-o", "json"))
        self.assertEqual(("note", "k\n", "/yBubyBKU09O"),
                         (whole["binding"], whole["keyText"], whole["valueBase64"]))

        self.assertIn("still cannot be read", self._dlq("replay", "notes", position, code=1))
        self.assertEqual(1, len(self._letters("notes")))
        self.assertEqual("1 dropped\n", self._dlq("drop", "notes", position))
        self._wait_letters("notes", 0)
        self.assertEqual("there are no dead letters\n", self._dlq("list", "notes"))

    def test_a_refused_document_is_written_once_the_engine_takes_it(self):
        self._write("notes", "large", size="large")
        refusal = self._wait_letters("notes", 1)
        self.assertIsNone(self._document("notes", "large"))
        self.assertEqual("index", self._letters("notes")[0]["stage"])

        self.assertIn("1 replayed", self._dlq("replay", "notes", "--all"))
        self.product.wait("another refusal in its place", lambda: (
            [letter["position"] for letter in self._letters("notes")] not in ([], refusal)),
            _SECONDS)

        status, answer = self.stack.search.request("PUT", "/notes/_mapping", {
            "properties": {"size": {"type": "integer", "ignore_malformed": True}}})
        self.assertEqual(200, status, answer)
        self._dlq("replay", "notes", "--binding=-")
        self._wait_document("notes", "large", {"id": "large", "title": None, "size": "large"})
        self._wait_letters("notes", 0)

    def test_what_is_older_loses(self):
        # A document that was refused, and repaired since.
        generation = self.product.index("notes")["alias"]
        self._write("notes", "older", title="x" * 40_000)
        position = self._wait_letters("notes", 1)[0]
        self._write("notes", "older", title="repaired")
        repaired = {"id": "older", "title": "repaired", "size": None}
        self._wait_document("notes", "older", repaired)
        version = self._version(generation, "older")
        self._dlq("replay", "notes", position)
        self.product.wait("document that was written again",
                          lambda: self._version(generation, "older") > version, _SECONDS)
        self.assertEqual(repaired, self._document("notes", "older"))

        # A record that another has followed.
        first = self._write("notes", "followed", title="first")
        self._write("notes", "followed", title="second")
        second = {"id": "followed", "title": "second", "size": None}
        self._wait_document("notes", "followed", second)
        position = self._forge("notes", "note", first, "followed", {"title": "first"})
        before = self._log_records()
        said = self._dlq("replay", "notes", position)
        self.assertRegex(said, rf"{position}: nothing to do: offset {first[1] + 1} is newer")
        self.assertEqual(before, self._log_records())
        self.assertEqual(second, self._document("notes", "followed"))
        self._wait_letters("notes", 0)

    def test_what_was_refused_before_a_crash_is_refused_once(self):
        first = records.produce(self.stack.kafka, "notes", [(b"a", b"garbage")])[0]
        records.produce(self.stack.kafka, "notes", [(b"b", b"garbage")])
        dropped, kept = self._wait_letters("notes", 2)
        self._dlq("drop", "notes", dropped)
        self.product.kill()
        # As if they had died before they committed; the broker takes them for alive for a while.
        log, = (topic for topic in self.stack.kafka.topics()
                if topic.startswith("searchsync.default.notes.log-"))
        group = log.replace(".log-", ".route-")
        wait_until(lambda: records.group_members(self.stack.kafka, group) == 0, _SECONDS,
                   lambda: f"{group} still has members")
        records.commit(self.stack.kafka, group, "notes", *first)
        self.product.start()

        self._write("notes", "behind")
        self._wait_document("notes", "behind", {"id": "behind", "title": None, "size": None})
        self.assertEqual([kept], self._wait_letters("notes", 1))
        self._dlq("drop", "notes", kept)
        self._wait_letters("notes", 0)

    def test_a_halted_binding_goes_on_when_letters_are_dropped(self):
        records.produce(self.stack.kafka, "limited", [(b"x", b"garbage")] * 3)
        behind = self._write("limited", "behind")
        self._write("limited", "last")
        self._wait_halted()
        self._wait_letters("limited", 3)

        worker = next(child for child in self.product.children("worker")
                      if "limited" in child.name)
        worker.kill()
        self.product.wait_replaced(worker)
        self._wait_halted()
        self.assertEqual(3, len(dead_letters(self.stack.kafka, "limited")), "a restart forgot")
        self.assertIsNone(self._document("limited", "behind"))

        # A record behind the halt takes its place by being replayed.
        position = self._forge("limited", "limited-row", behind, "behind", {})
        self.assertIn("1 replayed, 0 older", self._dlq("replay", "limited", position))
        self._wait_document("limited", "behind", {"id": "behind"})
        self.assertEqual("Halted", self.product.binding("limited-row")["state"])
        self.assertIsNone(self._document("limited", "last"))

        self.assertEqual("3 dropped\n", self._dlq("drop", "limited", "--binding", "limited-row"))
        self._wait_document("limited", "last", {"id": "last"})
        self.product.wait("binding that runs", lambda: (
            self.product.binding("limited-row")["state"] == "Running"), _SECONDS)
        self._wait_letters("limited", 0)

    def test_a_mended_binding_begins_again(self):
        self._write("limited", "mended")
        self._wait_document("limited", "mended", {"id": "mended"})
        count = self.stack.kafka.end_offsets("limited")[0]
        path = self.resources / "limited.yaml"
        right = path.read_text(encoding="utf-8")
        path.write_text(right.replace("format: Json", "format: Debezium").replace(
            "maxDeadLetters: 3", "maxDeadLetters: 1000"), encoding="utf-8")
        try:
            self._wait_letters("limited", count)
        finally:
            path.write_text(right, encoding="utf-8")
        # They are more than its limit, but of another binding, so to say.
        self._write("limited", "after")
        self._wait_document("limited", "after", {"id": "after"})
        self.product.wait("binding that runs", lambda: (
            self.product.binding("limited-row")["state"] == "Running"), _SECONDS)

        # Its rows are there already: replaying them changes nothing.
        version = self._version("limited", "mended")
        mended = [letter["position"] for letter in self._letters("limited")
                  if letter["keyText"] == '{"id": "mended"}']
        self.assertIn("1 replayed, 0 older", self._dlq("replay", "limited", *mended))
        self._dlq("drop", "limited", "--all")
        self._wait_letters("limited", 0)
        self.assertEqual(version, self._version("limited", "mended"))

    def test_errors_say_what_to_do(self):
        for arguments, code, words in (
                (("list", "note"), 1, "declares no SearchIndex note, but default/limited"),
                (("list", "notes", "--binding", "author"), 1, "no binding author, but note"),
                (("list", "notes", "--limit", "0"), 2, "limit"),
                (("show", "notes", "0/999999"), 1, "no dead letter 0/999999"),
                (("show", "notes", "17"), 1, "as in 0/17"),
                (("drop", "notes"), 1, "positions, --binding NAME or --all"),
                (("drop", "notes", "0/1", "--all"), 1, "one of these only"),
                (("replay", "notes", "0/999999"), 1, "no dead letter 0/999999")):
            with self.subTest(arguments=arguments):
                command, index, *rest = arguments
                self.assertIn(words, self._dlq(command, index, *rest, code=code))
        with self.subTest("Kafka is away"):
            address = self.stack.kafka.address
            folder = self._changed("notes.yaml", address, "127.0.0.1:9")
            self.assertIn("no broker reachable at 127.0.0.1:9",
                          self._dlq("list", "notes", code=1, folder=folder))
        with self.subTest("never built"):
            folder = self._changed("notes.yaml", "key: [id]", "key: [id, title]")
            self.assertIn("nothing is built yet", self._dlq("replay", "notes", "--all", code=1,
                                                            folder=folder))
        with self.subTest("never run"):
            folder = self._changed("notes.yaml", "name: notes}", "name: others}")
            self.assertIn("nothing has been run from these resources",
                          self._dlq("list", "others", code=1, folder=folder))

    def _wait_halted(self) -> None:
        self.product.wait("halt of the binding", lambda: (
            self.product.binding("limited-row")["state"] == "Halted"), _SECONDS)

    def _changed(self, name: str, old: str, new: str) -> Path:
        """A folder of its own, with one file of the resources."""
        text = (self.resources / name).read_text(encoding="utf-8")
        self.assertIn(old, text)
        folder = self.stack.run_dir / f"changed-{abs(hash((name, old, new)))}"
        folder.mkdir()
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        return folder

    def _forge(self, index: str, binding: str, place: tuple[int, int], key: str,
               columns: dict[str, Any]) -> str:
        """A dead letter of a record that can be read, as an older program may have left it. Returns
        its position."""
        records.produce_with_headers(
            self.stack.kafka, topic_of(index),
            (json.dumps({"id": key}).encode(), json.dumps({"id": key, **columns}).encode()),
            {"searchsync-stage": "decode", "searchsync-binding": binding,
             "searchsync-topic": index, "searchsync-partition": str(place[0]),
             "searchsync-offset": str(place[1]), "searchsync-reason": "forged"})
        return self._letters(index)[-1]["position"]


if __name__ == "__main__":
    unittest.main()
