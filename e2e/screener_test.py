"""The screener, end to end: an index that equals the join over seven databases, whatever happens.

Changes begin before the first load and never pause. Meanwhile processes are killed and paused, and
the search engine and Kafka restarted. Then every document is compared with one SQL join.

SEED repeats a history of changes. SEARCH chooses the engine (opensearch2 if not given), RUNS the
number of test runs loaded, RATE the changes a second.
"""

import os
import random
import unittest

from e2e import screener_oracle
from e2e.harness import SearchSync, engine, records
from e2e.harness.dead_letters import dead_letters
from e2e.harness.progress import say
from e2e.harness.screener import INDEX, Screener
from e2e.harness.stream import Stream
from e2e.servers import Stack

SEED = int(os.environ.get("SEED") or random.randrange(2**32))
RUNS = int(os.environ.get("RUNS") or 10_000)
RATE = float(os.environ.get("RATE") or 20)

_WORKERS = 3
_CHANGES_MIN = 2000
_LOAD_SECONDS = 1800
_RECOVER_SECONDS = 600
_QUIET_SECONDS = 900


class ScreenerTest(unittest.TestCase):
    def test_equals_the_join_whatever_happens(self):
        say(f"SEED={SEED} RUNS={RUNS} RATE={RATE}")
        with Stack(jit=True) as stack:
            screener = Screener(stack, stack.run_dir / "resources", SEED, {
                "replicas: 2\n    sessionTimeout: 45s":
                    f"replicas: {_WORKERS}\n    sessionTimeout: 6s"})
            screener.generator.load(RUNS)
            with (Stream(screener.generator, RATE) as changes,
                  SearchSync(screener.resources, stack.run_dir / "product") as product):
                Faults(screener, product).all()
                made = changes.stop()
                say(f"{made.total()} changes made: {dict(made.most_common())}")
                screener.wait_quiet(product, _QUIET_SECONDS)
                self._check_equal(screener)
                self._check_nothing_dead(stack, product)
            self.assertGreaterEqual(made.total(), _CHANGES_MIN)

    def _check_equal(self, screener: Screener) -> None:
        compared = screener_oracle.Comparison(
            screener_oracle.documents(screener.connect),
            engine.documents(screener.stack.search, INDEX, screener_oracle.parse))
        say(str(compared))
        self.assertEqual([], compared.differences, f"SEED={SEED}")
        self.assertGreater(compared.documents, RUNS / 2)

    def _check_nothing_dead(self, stack: Stack, product: SearchSync) -> None:
        self.assertEqual(0, product.index(INDEX)["deadLetters"])
        self.assertEqual([], dead_letters(stack.kafka, INDEX))


class Faults:
    """What goes wrong, one thing after the other, each survived before the next."""

    def __init__(self, screener: Screener, product: SearchSync):
        self._screener = screener
        self._product = product
        self._stack = screener.stack
        self._rng = random.Random(SEED)

    def all(self) -> None:
        self._product.wait("workers", lambda: len(self._product.children("worker")) == _WORKERS,
                           _LOAD_SECONDS)
        say("as the tables are read: a worker and the capture of the runs are killed")
        self._kill("worker")
        self._kill_capture("test")
        self._wait_documents(RUNS // 10)
        say("as the documents are written: the same")
        self._kill("worker")
        self._kill_capture("test")
        self._product.wait_served(INDEX, _LOAD_SECONDS)
        say("served; worker and captures are killed")
        self._kill("worker")
        self._kill_capture(self._rng.choice(("bug", "user", "project")))
        self._kill_capture("test")
        self._survived()
        say("a worker is paused until others have its partitions")
        self._pause_worker()
        self._survived()
        say("the search engine stops, a worker is killed meanwhile, and the engine starts again")
        self._stack.search.stop()
        self._kill("worker")
        self._stack.search.start()
        self._stack.search.wait_ready()
        self._survived()
        say("Kafka restarts")
        self._stack.kafka.restart()
        self._survived()
        say("all of searchsync is killed, and started again")
        self._product.kill()
        self._product.start()
        self._survived()

    def _wait_documents(self, count: int) -> None:
        self._product.wait(f"{count} documents to be written",
                           lambda: engine.writes(self._stack.search, f"{INDEX}-*") >= count,
                           _LOAD_SECONDS)

    def _survived(self) -> None:
        """Changes made from now on come through from every database."""
        self._screener.wait_mark(self._product, _RECOVER_SECONDS)

    def _kill(self, role: str) -> None:
        victim = self._rng.choice(self._product.children(role))
        victim.kill()
        self._product.wait_replaced(victim)

    def _kill_capture(self, service: str) -> None:
        victim = next(child for child in self._product.children("capture")
                      if f"{service}-db" in child.name)
        victim.kill()
        self._product.wait_replaced(victim)

    def _pause_worker(self) -> None:
        """SIGSTOP, until Kafka has given its work away; then it wakes up as a zombie."""
        group = f"searchsync.default.{INDEX}.fold-{self._product.index(INDEX)['alias']}"
        victim = self._rng.choice(self._product.children("worker"))
        self._product.wait(
            "all workers in the group, and nobody else",
            lambda: records.group_members(self._stack.kafka, group) == _WORKERS, _RECOVER_SECONDS)
        victim.pause()
        try:
            self._product.wait(
                "loss of the paused worker's partitions",
                lambda: records.group_members(self._stack.kafka, group) < _WORKERS,
                _RECOVER_SECONDS)
        finally:
            victim.resume()


if __name__ == "__main__":
    unittest.main()
