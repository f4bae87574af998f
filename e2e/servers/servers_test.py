"""The harness against the real servers: `/usr/bin/python3 -m unittest e2e.servers.servers_test`.

$SEARCH chooses the search engine.
"""

import json
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg2

from . import Stack, cache, proctree, wait_until
from .server import Server

_stack: Stack


def setUpModule() -> None:
    global _stack
    _stack = Stack()
    _stack.__enter__()
    unittest.addModuleCleanup(lambda: _stack.__exit__(None, None, None))


class Life:
    """What holds for each server."""

    server: Server

    def answers(self, seconds: float) -> None:
        """Asks the server something. Errors: any, if it does not answer within that time."""
        raise NotImplementedError

    def test_kill_ends_all_its_processes_and_restart_brings_the_port_back(self):
        address, pids = self.server.address, self.server.pids
        members = [proctree.read(pid) for pid in pids]
        self.assertEqual(self.server.pid, pids[0])
        self.answers(60)
        self.server.kill()
        self.assertEqual([one for one in members if not proctree.gone(one)], [])
        self.assertEqual(self.server.pids, [])
        self.assertFalse(self.server.running())
        with self.assertRaises(Exception):
            self.answers(1)
        self.server.restart()
        self.assertEqual(self.server.address, address)
        self.answers(60)

    def test_stop_ends_it_in_good_order(self):
        before = self.server.log.stat().st_size
        self.server.stop()
        self.assertFalse(self.server.running())
        self.assertIn(self.last_words, self.server.log.read_bytes()[before:].decode())
        self.server.start()
        self.server.wait_ready()
        self.answers(60)

    def test_paused_it_answers_nothing_and_resumed_it_goes_on(self):
        before = self.server.pid
        self.server.pause()
        try:
            states = {proctree.read(pid).state for pid in self.server.pids}
            self.assertEqual(states, {"T"})
            with self.assertRaises(Exception):
                self.answers(2)
        finally:
            self.server.resume()
        self.answers(60)
        self.assertEqual(self.server.pid, before)

    def test_measures(self):
        self.assertGreater(self.server.rss_bytes(), 20 << 20)
        self.assertLess(self.server.rss_bytes(), 3 << 30)
        before = self.server.cpu_seconds()
        self.assertGreater(before, 0)
        for _ in range(20):
            self.answers(60)
        self.assertGreaterEqual(self.server.cpu_seconds(), before)

    def test_is_described_in_the_run_folder(self):
        described = json.loads((_stack.run_dir / "servers.json").read_text())
        self.assertEqual(described[self.server.name]["address"], self.server.address)
        self.assertIn(str(self.server.port), (_stack.run_dir / "servers.env").read_text())


class PostgresTest(Life, unittest.TestCase):
    last_words = "database system is shut down"

    def setUp(self):
        self.server = _stack.postgres

    def answers(self, seconds):
        # The server's own time-out does not run while it is stopped: libpq's must.
        psycopg2.connect(self.server.uri(), connect_timeout=max(2, int(seconds))).close()

    def test_rows_and_slots_outlive_a_kill(self):
        self.server.create_user("keeper", "REPLICATION")
        self.server.create_database("kept", owner="keeper")
        cursor = self.server.connect("kept", "keeper").cursor()  # still connected when it dies
        cursor.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")
        cursor.execute("SELECT pg_create_logical_replication_slot('kept', 'pgoutput')")
        self.server.kill()
        self.server.restart()
        self.assertEqual(self.server.execute("SELECT count(*) FROM t", database="kept"), [(1000,)])
        self.assertEqual(self.server.execute("SELECT slot_name FROM pg_replication_slots"
                                             " WHERE database = 'kept'"), [("kept",)])

    def test_passwords_are_asked_for(self):
        self.server.create_user("guarded")
        with self.assertRaisesRegex(psycopg2.OperationalError, "password authentication failed"):
            psycopg2.connect(self.server.uri("postgres", "guarded").replace(
                self.server.password("guarded"), "wrong"))


class KafkaTest(Life, unittest.TestCase):
    last_words = "App info kafka.server for 1 unregistered"

    def setUp(self):
        self.server = _stack.kafka

    def answers(self, seconds):
        self.server.metadata(seconds)

    def test_records_outlive_a_kill(self):
        records = [(f"k{number}", f"value {number}") for number in range(100)]
        self.server.create_topic("kept", partitions=3, config={"cleanup.policy": "compact"})
        self.server.produce("kept", records)
        self.assertEqual(sum(self.server.end_offsets("kept").values()), 100)
        self.server.kill()
        self.server.restart()
        self.assertEqual(self.server.topics()["kept"], 3)
        self.assertEqual(sum(self.server.end_offsets("kept").values()), 100)
        self.assertEqual(sorted(self.server.consume("kept", 100)), sorted(records))
        config = self.server.tool("kafka.admin.ConfigCommand", "--describe",
                                  "--entity-type", "topics", "--entity-name", "kept")
        self.assertIn("cleanup.policy=compact", config)

    def test_topics_come_and_go_only_when_told(self):
        self.server.create_topic("brief", partitions=2)
        self.assertEqual(self.server.end_offsets("brief"), {0: 0, 1: 0})
        with self.assertRaisesRegex(Exception, "already exists"):
            self.server.create_topic("brief")
        self.server.delete_topic("brief")
        self.assertNotIn("brief", self.server.topics())
        with self.assertRaisesRegex(Exception, "no topic brief"):
            self.server.end_offsets("brief")


class SearchTest(Life, unittest.TestCase):
    last_words = "] closed\n"

    def setUp(self):
        self.server = _stack.search

    def answers(self, seconds):
        status, _ = self.server.request("GET", "/_cluster/health", timeout=seconds)
        self.assertEqual(status, 200)

    def test_documents_outlive_a_kill(self):
        bulk = "".join(f'{{"index":{{"_id":"{number}"}}}}\n{{"n":{number}}}\n'
                       for number in range(100))
        status, answer = self.server.request("POST", "/kept/_bulk", bulk)
        self.assertEqual((status, answer["errors"], len(answer["items"])), (200, False, 100))
        self.server.kill()
        self.server.restart()
        self.server.request("POST", "/kept/_refresh")
        self.assertEqual(self.server.request("GET", "/kept/_count")[1]["count"], 100)
        self.assertEqual(self.server.request("GET", "/kept/_doc/42")[1]["_source"], {"n": 42})

    def test_it_is_the_engine_that_was_asked_for(self):
        major = self.server.engine[-1]
        self.assertEqual(self.server.version().split(".")[0], major)


class UpTest(unittest.TestCase):
    """The command, ended in each way there is."""

    def end(self, number: signal.Signals) -> int:
        """Starts PostgreSQL through the command, ends that, and waits for all that it
        started to be gone; its exit code."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            up = subprocess.Popen([sys.executable, "-m", "e2e.servers", "up", "--only", "postgres",
                                   "--run-dir", folder], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, preexec_fn=_hear_ctrl_c)
            addresses = Path(folder) / "servers.json"
            wait_until(addresses.exists, 300, lambda: "the servers did not come up")
            started = proctree.tree(proctree.read(up.pid))[1:]
            self.assertGreater(len(started), 5)
            up.send_signal(number)
            code = up.wait(300)
            wait_until(lambda: all(map(proctree.gone, started)), 60,
                       lambda: f"outlived it: {[one for one in started if not proctree.gone(one)]}")
            return code

    def test_ctrl_c(self):
        self.assertEqual(self.end(signal.SIGINT), 0)

    def test_terminated(self):
        self.assertEqual(self.end(signal.SIGTERM), 0)

    def test_killed(self):
        self.assertEqual(self.end(signal.SIGKILL), -signal.SIGKILL)


def _hear_ctrl_c() -> None:
    """A shell makes what it runs in the background deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class CacheTest(unittest.TestCase):
    PROGRAM = """
import os, sys
from pathlib import Path
from e2e.servers import cache
class Fake:
    name = "fake"
    lock = "fetch.lock"
    def fill(self, folder, progress):
        with open(os.environ["FILLS"], "a") as file:
            file.write("filled\\n")
        for number in range(2000):
            (folder / str(number)).write_text("x")
        if "FAIL" in os.environ:
            raise cache.ServersError("no network")
place = cache.get(Fake())
sys.exit(0 if len(list(place.iterdir())) == 2000 else 1)
"""

    def fetch(self, folder: str, **more: str) -> subprocess.Popen:
        env = {"SEARCHSYNC_CACHE": f"{folder}/cache", "FILLS": f"{folder}/fills", **more}
        return subprocess.Popen([sys.executable, "-c", self.PROGRAM], env=env,
                                stderr=subprocess.DEVNULL)

    def test_runs_at_once_fetch_once_and_all_find_it_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = [self.fetch(folder) for _ in range(4)]
            self.assertEqual([run.wait(300) for run in runs], [0, 0, 0, 0])
            self.assertEqual(Path(folder, "fills").read_text(), "filled\n")

    def test_a_fetch_that_fails_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.fetch(folder, FAIL="1").wait(300), 1)
            self.assertEqual([path.name for path in Path(folder, "cache").iterdir()],
                             ["fetch.lock"])
            self.assertEqual(self.fetch(folder).wait(300), 0)


if __name__ == "__main__":
    unittest.main()
