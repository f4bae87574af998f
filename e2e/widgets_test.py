"""Widgets: the page of docs/ and the example, commands over HTTP, races for slots, and reads that do
not miss their own writes. WIDGETS_TRIES is how many of those. SEARCH chooses the engine.
"""

import collections
import json
import os
import random
import re
import signal
import subprocess
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from e2e.harness import engine
from e2e.harness.own_reads import OwnReads
from e2e.harness.page import examples, json_values
from e2e.harness.product import SearchSync
from e2e.harness.widgets import EXAMPLE, INDEX, ROLE, Client, declare_widgets
from e2e.servers import Stack

_PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
_TRIES = int(os.environ.get("WIDGETS_TRIES") or 10_000)
_SECONDS = 600
_RACERS = 64
_HARDER = {
    # A worker that is killed is missed after this long.
    "workers: {partitions: 4, replicas: 1}":
        "workers: {partitions: 4, replicas: 1, sessionTimeout: 6s}",
    # Who races for a slot does it in the database.
    "connections: 8 ": f"connections: {_RACERS}",
    # Functions that no example needs.
    "        - name: remove_widget\n": """\
        - {name: rows, function: widgets.test_rows, returns: Many,
           arguments: [{name: serial}, {name: count, type: Integer}]}
        - {name: late, function: widgets.test_late, returns: Nothing}
        - {name: end, function: widgets.test_end, arguments: [{name: serial}]}
        - {name: sleep, function: widgets.test_sleep, arguments: [{name: serial}]}
        - {name: lazy, function: widgets.test_lazy, arguments: [{name: serial}]}
        - {name: gone, function: widgets.test_gone}
        - {name: anew, function: widgets.test_anew, arguments: [{name: value}]}
        - name: remove_widget
"""}
_FUNCTIONS = """
CREATE FUNCTION widgets.test_rows(serial text, count int) RETURNS TABLE (n int, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT widgets.add_widget(serial, '', '{P}');
  SELECT g, serial FROM generate_series(1, count) g $$;
CREATE TABLE widgets.test_unique (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION widgets.test_late() RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS 'INSERT INTO widgets.test_unique VALUES (1), (1)';
CREATE FUNCTION widgets.test_end(serial text) RETURNS bool LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS $$
  SELECT widgets.add_widget(serial, '', '{P}'); SELECT pg_terminate_backend(pg_backend_pid()) $$;
CREATE FUNCTION widgets.test_sleep(serial text) RETURNS text LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS $$
  SELECT widgets.add_widget(serial, '', '{P}'); SELECT pg_sleep(60)::text $$;
CREATE FUNCTION widgets.test_lazy(serial text) RETURNS jsonb LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS $$
  SELECT set_config('synchronous_commit', 'off', true);
  SELECT jsonb_build_object('id', widgets.add_widget(serial, 'é"', '{P}'), 'none', NULL) $$;
CREATE FUNCTION widgets.test_anew(value text) RETURNS text LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS 'SELECT value';
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA widgets TO widgets_api;
REVOKE EXECUTE ON FUNCTION widgets.lock_both FROM widgets_api;
"""

_STACK: Stack
_PRODUCT: SearchSync


def setUpModule():
    """One set of servers for all; each test has widgets of its own."""
    global _STACK, _PRODUCT  # pylint: disable=global-statement
    _STACK = unittest.enterModuleContext(Stack(jit=True))
    declare_widgets(_STACK, _STACK.run_dir / "resources", _HARDER)
    _STACK.postgres.execute(_FUNCTIONS, database="widgets")
    _PRODUCT = unittest.enterModuleContext(
        SearchSync(_STACK.run_dir / "resources", _STACK.run_dir / "product"))
    _PRODUCT.wait_served(INDEX, _SECONDS)
    _PRODUCT.wait_ready("query", _SECONDS)


def _address() -> str:
    return _PRODUCT.wait_ready("query").address


class APageTest(unittest.TestCase):
    """First of all, while no widget is there: the answers have numbers."""

    def test_the_page_and_the_example(self):
        page = _PAGE.read_text(encoding="utf-8")
        readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
        typed = [*examples(page), *examples(readme[readme.index("## Ask it"):])]
        self.assertGreater(len(typed), 5)
        self.assertEqual(page.count("\n```sh\n") + readme.count("\n```sh\n") - 1, len(typed))
        folder = _STACK.run_dir / "page"
        folder.mkdir()
        for script, expected in typed:
            with self.subTest(script):
                done = subprocess.run(
                    ["bash", "-e", "-c", script], text=True, capture_output=True, timeout=60,
                    check=False, cwd=folder, env={**os.environ, "QUERY": f"http://{_address()}"})
                self.assertEqual(0, done.returncode, done.stderr)
                if isinstance(expected, str):
                    self.assertEqual(expected, done.stdout.replace("\r\n", "\n"))
                else:
                    answers = list(json_values(done.stdout))
                    self.assertTrue(answers, done.stdout)
                    for answer in answers:
                        self.assertEqual(expected, {key: answer[key] for key in expected}
                                         if isinstance(expected, dict) else answer)

    def test_what_the_page_declares_is_the_example(self):
        declared = re.search(r"^```yaml\nquery:\n(.*?)^```", _PAGE.read_text(encoding="utf-8"),
                             re.MULTILINE | re.DOTALL)[1]
        served = (EXAMPLE / "resources" / "index.yaml").read_text(encoding="utf-8")
        self.assertIn(re.sub("^", "  ", declared.rstrip(), flags=re.MULTILINE), served)


class WidgetsTest(unittest.TestCase):
    def client(self) -> Client:
        client = Client(_address())
        self.addCleanup(client.close)
        return client

    def sql(self, text: str, *parameters: Any) -> list[tuple]:
        return _STACK.postgres.execute(text, parameters, "widgets")

    def test_commands_answer_as_the_functions_do(self):
        client = self.client()
        status, added, token = client.call("add_widget", serial="c-1", name="one", ports=["P", "Q"])
        self.assertEqual((200, True), (status, bool(token)), added)
        self.assertEqual([(added,)],
                         self.sql("SELECT id FROM widgets.widgets WHERE serial = 'c-1'"))
        self.assertEqual(200, client.call("add_widget", serial="c-2", name="two", ports=["P"])[0])
        status, answer, token = client.call("associate_widgets", serial="c-1", peer="c-2", port="P")
        self.assertEqual((204, None), (status, answer))
        reached, found = client.find("c-2", token)
        self.assertTrue(reached)
        self.assertEqual([["c-1"]], [[slot["peer"] for slot in one["slots"]] for one in found])
        for function, arguments, status, sqlstate in (
                ("add_widget", {"serial": "c-1", "name": "", "ports": ["P"]}, 409, "23505"),
                ("add_widget", {"serial": "c-3", "name": "", "ports": ["X"]}, 400, "22P02"),
                ("add_widget", {"serial": "c-3", "name": "", "ports": []}, 400, "PT400"),
                ("add_widget", {"serial": "", "name": "", "ports": ["P"]}, 400, "23514"),
                ("remove_widget", {"serial": "'; DROP TABLE widgets.slots; --"}, 404, "PT404"),
                ("associate_widgets", {"serial": "c-1", "peer": "c-2", "port": "P"}, 409, "PT409"),
                ("associate_widgets", {"serial": "c-1", "peer": "c-2", "port": "Q"}, 409, "PT409"),
                ("associate_widgets", {"serial": "c-1", "peer": "c-1", "port": "Q"}, 400, "PT400"),
                ("remove_association", {"serial": "c-1", "peer": "c-2", "port": "R"}, 404,
                 "PT404")):
            with self.subTest(function, **arguments):
                got, answer, token = client.call(function, **arguments)
                self.assertEqual((status, sqlstate), (got, answer["error"]["sqlstate"]), answer)
                self.assertIsNone(token)
        for function, arguments, status in (("lock_both", {"serial": "a", "peer": "b"}, 404),
                                            ("remove_widget", {}, 400),
                                            ("remove_widget", {"serial": "c-1", "x": 1}, 400),
                                            ("remove_widget", {"serial": ["c-1"]}, 400)):
            self.assertEqual(status, client.call(function, **arguments)[0], function)
        self.assertEqual(204, client.call("remove_widget", serial="c-1")[0])
        self.assertEqual([(None,)], self.sql(
            "SELECT s.peer_id FROM widgets.slots s JOIN widgets.widgets w ON w.id = s.widget_id "
            "WHERE w.serial = 'c-2'"))

    def test_what_is_not_carried_out_leaves_nothing(self):
        client = self.client()
        for function, arguments, status, code in (
                ("rows", {"serial": "f-many", "count": 1001}, 413, "too_many_rows"),
                ("late", {}, 409, "23505"),  # in COMMIT
                ("end", {"serial": "f-end"}, 503, "commands_unavailable"),
                ("sleep", {"serial": "f-sleep"}, 504, "57014"),
                ("gone", {}, 404, "42883")):
            with self.subTest(function):
                got, answer, token = client.call(function, **arguments)
                error = answer["error"]
                self.assertEqual((status, code), (got, error.get("sqlstate", error["code"])), error)
                self.assertIsNone(token)
        self.assertEqual([(0,)], self.sql(
            "SELECT count(*) FROM widgets.widgets WHERE serial LIKE 'f-%%'"))
        self.assertEqual([(0,)], self.sql("SELECT count(*) FROM widgets.test_unique"))
        status, rows, token = client.call("rows", serial="f-rows", count=1000)
        self.assertEqual((200, 1000), (status, len(rows)))
        self.assertTrue(client.find("f-rows", token)[0])

    def test_what_a_function_returns_is_json(self):
        client = self.client()
        self.assertEqual([{"n": 1, "answer": "j-rows"}, {"n": 2, "answer": "j-rows"}],
                         client.call("rows", serial="j-rows", count=2)[1])
        self.assertEqual([], client.call("rows", serial="j-none", count=0)[1])
        status, answer, token = client.call("lazy", serial="j-lazy")
        self.assertEqual((200, {"id", "none"}), (status, set(answer)), answer)
        reached, found = client.find("j-lazy", token)
        self.assertEqual((True, ['é"']), (reached, [one["name"] for one in found]))

    def test_a_function_may_be_made_anew(self):
        client = self.client()
        self.assertEqual((200, "1"), client.call("anew", value="1")[:2])
        self.sql("DROP FUNCTION widgets.test_anew")
        self.sql("CREATE FUNCTION widgets.test_anew(value int) RETURNS int LANGUAGE sql SECURITY "
                 "DEFINER SET search_path = pg_catalog AS 'SELECT value + 1'")
        self.assertEqual((200, 2), client.call("anew", value="1")[:2])
        self.sql("DROP FUNCTION widgets.test_anew")
        status, answer, _ = client.call("anew", value="1")
        self.assertEqual((404, "42883"), (status, answer["error"]["sqlstate"]))

    def test_a_session_that_the_server_has_ended_is_not_used(self):
        client = self.client()
        self.assertEqual(404, client.call("remove_widget", serial="nobody")[0])
        ended = self.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                         "WHERE application_name = 'searchsync commands'")[0][0]
        self.assertGreater(ended, 0)
        _PRODUCT.wait("ended sessions", lambda: self.sql(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'searchsync commands'") == [(0,)], _SECONDS)
        for _ in range(ended + 1):
            self.assertEqual(404, client.call("remove_widget", serial="nobody")[0])

    def test_the_role_may_do_nothing_else(self):
        for statement in ("SELECT 1 FROM widgets.widgets", "DELETE FROM widgets.slots",
                          "SELECT widgets.lock_both('a', 'b')"):
            connection = _STACK.postgres.connect("widgets", ROLE)
            with self.subTest(statement), connection.cursor() as cursor:
                with self.assertRaisesRegex(Exception, "permission denied"):
                    cursor.execute(statement)
            connection.close()
        for right in ("INSERT", "UPDATE (peer_id)"):
            self.sql(f"GRANT {right} ON widgets.slots TO widgets_api")
            try:
                query = _PRODUCT.wait_ready("query")
                query.kill()  # its connections were made when the role could not
                _PRODUCT.wait_replaced(query)
                status, answer, _ = self.client().call("remove_widget", serial="nobody")
                self.assertEqual((503, "commands_unavailable"), (status, answer["error"]["code"]))
            finally:
                self.sql(f"REVOKE {right} ON widgets.slots FROM widgets_api")
            self.assertEqual(404, self.client().call("remove_widget", serial="nobody")[0])

    def test_a_read_with_its_token_never_misses_its_write(self):
        # Those who wait at once wait for the same refresh: many are hardly slower than few.
        with OwnReads(_address, "own", threads=_RACERS, tries=_TRIES) as reads:
            reads.wait()
        print(f"reads: {dict(reads.counts)}", flush=True)
        self.assertEqual(([], []), (reads.misses, reads.refusals))
        self.assertGreaterEqual(reads.counts["reached"], _TRIES)
        self.assertEqual(0, reads.counts["not reached"])
        self.assertEqual([], reads.breaks)

    def test_nobody_misses_their_write_while_processes_are_killed(self):
        def kill(reads: OwnReads) -> None:
            for role in 3 * ("query", "capture", "worker"):
                self.wait_for_more(reads, f"before {role} is killed")
                child = _PRODUCT.wait_ready(role)
                child.kill()
                _PRODUCT.wait_replaced(child)
            self.wait_for_more(reads, "after all were killed")
        reads = self.read_while(kill, "killed")
        self.assertGreater(reads.counts["broken off"], 0, "the query service was killed")

    def test_nobody_misses_their_write_while_the_index_is_rebuilt(self):
        resources = _STACK.run_dir / "resources" / "index.yaml"
        served = resources.read_text(encoding="utf-8")
        rebuilt = served.replace("name: {type: text}", "name: {type: text, index: false}")
        self.assertNotEqual(served, rebuilt)

        def swap(reads: OwnReads) -> None:
            for declared in (rebuilt, served):  # there, and back to what is kept warm
                self.wait_for_more(reads, "before the swap")
                before = _PRODUCT.index(INDEX)["alias"]
                resources.write_text(declared, encoding="utf-8")
                _PRODUCT.wait("another generation", lambda before=before: _PRODUCT.index(
                    INDEX)["alias"] not in (None, before), _SECONDS)
                self.wait_for_more(reads, "after the swap")
        self.read_while(swap, "rebuilt")

    def read_while(self, disturb: Callable[[OwnReads], None], name: str) -> OwnReads:
        """What some saw who read what they wrote meanwhile; none saw what was not written."""
        with OwnReads(_address, name, threads=16) as reads:
            disturb(reads)
        print(f"reads, {name}: {dict(reads.counts)}", flush=True)
        self.assertEqual(([], []), (reads.misses, reads.refusals))
        client = self.client()
        status, _, token = client.call("add_widget", serial=f"{name}-last", name="", ports=["R"])
        self.assertEqual(200, status)
        _PRODUCT.wait("the last write", lambda: client.find(f"{name}-last", token)[0], _SECONDS)
        self.assert_equal_to_the_join()
        return reads

    def wait_for_more(self, reads: OwnReads, when: str) -> None:
        """Until some more have read what they wrote."""
        enough = reads.counts["reached"] + 40
        _PRODUCT.wait(f"reads {when}", lambda: reads.counts["reached"] >= enough, _SECONDS)

    def test_widgets_are_sorted_by_what_is_in_them(self):
        """The engine fails to do that by itself, among so many: see Planner::Sort."""
        client = self.client()
        for order, expected in (("asc", "min"), ("desc", "max")):
            status, answer, _ = client.request("POST", "/v1/widgets/search", {
                "size": 1, "sort": [{"field": "slots.id", "order": order}]})
            self.assertEqual(200, status, answer)
            [[slot]] = self.sql(f"SELECT {expected}(id) FROM widgets.slots")
            self.assertIn(slot, [one["id"] for one in answer["hits"][0]["source"]["slots"]])

    def test_who_cannot_wait_long_enough_is_told(self):
        client = self.client()
        capture = _PRODUCT.wait_ready("capture")
        capture.pause()
        try:
            status, _, token = client.call("add_widget", serial="paused", name="", ports=["R"])
            self.assertEqual(200, status)
            self.assertEqual((False, []), client.find("paused", token, wait=300))
        finally:
            capture.resume()
        reached, found = client.find("paused", token)
        self.assertEqual((True, 1), (reached, len(found)))
        other = token.split("-")
        other[1] = "7f"  # a timeline that never was
        self.assertFalse(client.find("paused", "-".join(other), wait=300)[0])
        status, answer, _ = client.request("GET", "/v1/widgets/count", None,
                                           {"SearchSync-Token": "nonsense"})
        self.assertEqual((400, "SearchSync-Token"), (status, answer["error"]["faults"][0]["path"]))

    def test_a_token_outlives_those_who_carry_the_write(self):
        client = self.client()
        for role in ("capture", "worker"):
            with self.subTest(role):
                child = _PRODUCT.wait_ready(role)
                child.send(signal.SIGSTOP)
                status, _, token = client.call("add_widget", serial=f"killed-{role}", name="",
                                               ports=["R"])
                self.assertEqual(200, status)
                child.kill()
                _PRODUCT.wait_replaced(child)
                found: list = []

                def reached() -> bool:
                    yes, hits = client.find(f"killed-{role}", token)
                    found[:] = hits
                    return yes
                _PRODUCT.wait(f"the write past a killed {role}", reached, _SECONDS)
                self.assertEqual(1, len(found))

    def test_no_slot_is_taken_twice(self):
        setup = self.client()
        serials = [f"race-{number}" for number in range(6)]
        for serial in serials:
            self.assertEqual(200, setup.call("add_widget", serial=serial, name="",
                                             ports=["P", "P", "Q"])[0])
        counts: collections.Counter = collections.Counter()
        lock = threading.Lock()
        tokens: list[str] = []

        def race(number: int) -> None:
            client = Client(_address())
            dice = random.Random(number)
            for _ in range(40):
                serial, peer = dice.sample(serials, 2)
                function = dice.choice(("associate_widgets", "remove_association",
                                        "remove_widget", "add_widget", "associate_widgets"))
                arguments: dict[str, Any] = {"serial": serial}
                if function == "add_widget":
                    arguments |= {"name": "", "ports": ["P", "P", "Q"]}
                elif function != "remove_widget":
                    arguments |= {"peer": peer, "port": dice.choice("PQ")}
                status, answer, token = client.call(function, **arguments)
                with lock:
                    counts[status] += 1
                    if token:
                        tokens.append(token)
                    if status >= 500:
                        counts[json.dumps(answer)] += 1
            client.close()
        with ThreadPoolExecutor(_RACERS) as pool:
            for done in [pool.submit(race, number) for number in range(_RACERS)]:
                done.result()
        print(f"race: {dict(counts)}", flush=True)
        self.assertLessEqual(set(counts), {200, 204, 404, 409}, counts)
        self.assertGreater(counts[204], 0)
        self.assertEqual([], self.sql(
            "SELECT a.widget_id, a.port, a.peer_id FROM widgets.slots a WHERE a.peer_id IS NOT NULL"
            " AND 1 <> (SELECT count(*) FROM widgets.slots b WHERE b.widget_id = a.peer_id"
            " AND b.port = a.port AND b.peer_id = a.widget_id)"))
        newest = max(tokens, key=lambda token: int(token.rsplit("-", 1)[1], 16))
        self.assertTrue(setup.find(serials[0], newest)[0])
        self.assert_equal_to_the_join()

    def assert_equal_to_the_join(self) -> None:
        rows = self.sql(
            "SELECT w.id::text, json_build_object('id', w.id, 'serial', w.serial, 'name', w.name, "
            "'slots', (SELECT coalesce(json_agg(json_build_object('id', s.id, 'port', s.port, "
            "'peer', p.serial) ORDER BY s.id), '[]') FROM widgets.slots s "
            "LEFT JOIN widgets.widgets p ON p.id = s.peer_id WHERE s.widget_id = w.id)) "
            "FROM widgets.widgets w")
        expected = {key: json.dumps(value, sort_keys=True) for key, value in rows}
        found = {key: json.dumps(source, sort_keys=True)
                 for key, source in engine.documents(_STACK.search, "widgets")}
        self.assertEqual(expected, found)


if __name__ == "__main__":
    unittest.main()
