"""What searchsync does with input it cannot use, and while a server is away.

SEARCH chooses the engine.
"""

import json
import re
import subprocess
import unittest
from pathlib import Path
from typing import Any

from e2e.harness import SearchSync, engine, records, render, write_secret
from e2e.harness.dead_letters import DeadLetter, dead_letters
from e2e.harness.product import text_of
from e2e.servers import Server, Stack

_RESOURCES = Path(__file__).parent / "bad_input"
_SECONDS = 600
_NO_ROWS = (
    b"",                                  # no JSON at all
    b"not JSON",
    b"\xff\xfe\x00 not even text",
    b'{"id": "cut o',
    b'["a list", "no row"]',
    b"42",
    b'{"title": "no key"}',
    b'{"id": null, "title": "no key"}',
    b'{"id": {"an": "object"}}',
)


class BadInputTest(unittest.TestCase):
    """One set of servers and one searchsync for all; each test writes records of its own."""

    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack())
        cls.resources = cls.stack.run_dir / "resources"
        uri = cls.stack.postgres.create_database("people")
        cls.stack.postgres.execute(
            "CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL);"
            "INSERT INTO authors VALUES (1, 'Ada'), (2, 'Grace')", database="people")
        write_secret(cls.resources, "people-db", {"uri": uri})
        render(_RESOURCES, cls.resources,
               {"${SEARCH}": cls.stack.search.url, "${KAFKA}": cls.stack.kafka.address})
        for topic in ("notes", "limited"):
            cls.stack.kafka.create_topic(topic, 2, {"cleanup.policy": "compact"})
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        for index in ("notes", "limited"):
            cls.product.wait_served(index, _SECONDS)

    def test_garbage_becomes_dead_letters_and_the_rest_goes_on(self):
        places = records.produce(self.stack.kafka, "notes",
                                 [(b"garbage", value) for value in _NO_ROWS])
        self._write_note("after-garbage", title="kept", author_id=1)
        self._wait_note("after-garbage", {"id": "after-garbage", "title": "kept", "size": None,
                                          "author": "Ada"})
        letters = self._wait_letters("notes", "notes", places)
        for place, value in zip(places, _NO_ROWS):
            with self.subTest(value=value):
                self.assertEqual("note", letters[place].binding)
                self.assertEqual(b"garbage", letters[place].key)
                self.assertEqual(value, letters[place].payload)
                self.assertNotEqual("", letters[place].reason)

    def test_a_document_that_the_engine_refuses_is_a_dead_letter(self):
        self._write_note("refused", title="size is no number", size="large", author_id=1)
        self._write_note("beside", title="fine", size=7, author_id=2)
        self._wait_note("beside", {"id": "beside", "title": "fine", "size": 7, "author": "Grace"})
        self.product.wait("dead letter of the refused document", lambda: any(
            "size" in letter.reason and b"large" in (letter.payload or b"")
            for letter in dead_letters(self.stack.kafka, "notes")), _SECONDS)
        self.assertIsNone(engine.source(self.stack.search, "notes", "refused"))

        self._write_note("refused", title="repaired", size=8, author_id=1)
        self._wait_note("refused", {"id": "refused", "title": "repaired", "size": 8,
                                    "author": "Ada"})

    def test_too_many_dead_letters_halt_the_binding(self):
        key = b'{"id":"x"}'
        records.produce(self.stack.kafka, "limited", [(key, b"garbage")] * 10, partition=0)

        def halted() -> bool:
            binding = self.product.binding("limited-row")
            return binding["state"] == "Halted" and re.search(
                r"after 3 dead letters, the last .*limited.*JSON", binding["message"]) is not None
        self.product.wait("halt of the binding, and why", halted, _SECONDS)
        self.assertLessEqual(len(dead_letters(self.stack.kafka, "limited")), 4)
        self.assertNotEqual("Halted", self.product.binding("note")["state"])

    def test_a_wrong_edit_changes_nothing_and_is_told(self):
        path = self.resources / "notes.yaml"
        right = path.read_text(encoding="utf-8")
        before = self.product.index("notes")
        try:
            path.write_text(right.replace("of: root", "of: nobody"), encoding="utf-8")
            self.product.wait("complaint about the edit",
                              lambda: "nobody" in self.product.get("/status")[1], _SECONDS)
            checked = subprocess.run(self.product.command("validate", str(self.resources)),
                                     capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(1, checked.returncode, checked.stderr)
            self.assertIn("notes.yaml", checked.stdout + checked.stderr)
            self.assertIn("nobody", checked.stdout + checked.stderr)
            self._write_note("meanwhile", title="as before", author_id=2)
            self._wait_note("meanwhile", {"id": "meanwhile", "title": "as before", "size": None,
                                          "author": "Grace"})
        finally:
            path.write_text(right, encoding="utf-8")
        self.product.wait("end of the complaint",
                          lambda: "nobody" not in self.product.get("/status")[1], _SECONDS)
        self.assertEqual(before["generation"], self.product.index("notes")["generation"])

    def test_the_search_engine_is_away(self):
        self._check_away(self.stack.search, "worker", "elastic")

    def test_kafka_is_away(self):
        self._check_away(self.stack.kafka, "worker", "kafka")

    def test_postgresql_is_away(self):
        self._check_away(self.stack.postgres, "capture", "postgres")

    def _check_away(self, server: Server, role: str, word: str) -> None:
        """The role is not ready and says why; when the server is back all goes on by itself."""
        server.kill()
        try:
            self.product.wait(f"{role} that is not ready", lambda: (
                self._readiness(role)[0] == 503 and word in self._readiness(role)[1].lower()),
                _SECONDS)
        finally:
            server.restart()
        self.product.wait(f"{role} that is ready again",
                          lambda: self._readiness(role)[0] == 200, _SECONDS)
        name = f"back-{server.name}"
        self.stack.postgres.execute("UPDATE authors SET name = %s WHERE id = 2", [name],
                                    "people")
        self._write_note(name, title=name, author_id=2)
        self._wait_note(name, {"id": name, "title": name, "size": None, "author": name})
        self.stack.postgres.execute("UPDATE authors SET name = 'Grace' WHERE id = 2",
                                    database="people")
        self._wait_note(name, {"id": name, "title": name, "size": None, "author": "Grace"})

    def _readiness(self, role: str) -> tuple[int, str]:
        children = self.product.children(role)
        if not children:
            raise KeyError(role)  # not yet
        return text_of(children[0].address, "/readyz")

    def _write_note(self, key: str, **columns: Any) -> None:
        row = {"id": key, **columns}
        records.produce(self.stack.kafka, "notes",
                        [(json.dumps({"id": key}).encode(), json.dumps(row).encode())])

    def _wait_note(self, key: str, document: dict[str, Any]) -> None:
        self.product.wait(f"note {key} as {document}", lambda: (
            engine.source(self.stack.search, "notes", key) == document), _SECONDS)

    def _wait_letters(self, index: str, topic: str,
                      places: list[tuple[int, int]]) -> dict[tuple[int, int], DeadLetter]:
        """Those of the records at these places."""
        found: dict[tuple[int, int], DeadLetter] = {}

        def there() -> bool:
            found.update((letter.place, letter) for letter in dead_letters(self.stack.kafka, index)
                         if letter.topic == topic)
            return set(places) <= found.keys()
        self.product.wait(f"dead letters of {len(places)} records", there, _SECONDS)
        return found


if __name__ == "__main__":
    unittest.main()
