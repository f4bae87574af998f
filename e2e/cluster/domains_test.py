"""Domains on a real Kubernetes: events over HTTP, counted, while the pods of all roles are killed.

SEED chooses the events and the victims.
"""

import os
import random
import sys
import threading
import time
import unittest
from pathlib import Path

from e2e.cluster.product import ClusterProduct
from e2e.harness import render
from e2e.harness.dead_letters import dead_letters
from e2e.servers import Cluster, ServersError, Stack

_EXAMPLE = Path(__file__).parents[2] / "examples" / "domains"
sys.path.append(str(_EXAMPLE))
from deliveries import Deliveries, differences  # noqa: E402  (the example is no package of ours)

SEED = int(os.environ.get("SEED") or random.randrange(2**32))

_INDEX = "domains"
_SENDERS = 2
_BATCH = 100
_DOMAINS = 200
_KILLS = ("ingest", "aggregate", "worker", "aggregate", "ingest", "query", "aggregate")
_SERVED_SECONDS = 1800
_RECOVER_SECONDS = 600


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class ClusterDomainsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        print(f"SEED={SEED}", file=sys.stderr, flush=True)
        cls.random = random.Random(SEED)
        cls.cluster = cls.enterClassContext(Cluster())
        cls.stack = cls.enterClassContext(
            Stack(parts=("kafka", "search"), host=cls.cluster.node_address, jit=True))
        cls.product = ClusterProduct(cls.cluster)
        cls.product.install()
        resources = cls.stack.run_dir / "resources"
        render(_EXAMPLE / "resources", resources, {
            "http://localhost:9200": cls.stack.search.url,
            "localhost:9092": cls.stack.kafka.address, "stableFor: 5s": "stableFor: 1s",
            "aggregates: {replicas: 1}": "aggregates: {replicas: 2, sessionTimeout: 6s}",
            "partitions: 4, replicas: 1": "partitions: 4, replicas: 1, sessionTimeout: 6s"})
        cls.product.apply(resources)
        cls.cluster.kubectl("wait", "--for=condition=Ready", f"searchindex/{_INDEX}",
                            f"--timeout={_SERVED_SECONDS}s", seconds=_SERVED_SECONDS + 10)

    def test_counters_equal_what_was_acknowledged_whatever_pod_is_killed(self):
        events = f"http://{self.product.address('ingest', _INDEX)}"
        query = f"http://{self.product.address('query', _INDEX)}"
        senders = [Deliveries(events, _DOMAINS, SEED, number) for number in range(_SENDERS)]
        for one in senders:
            self.addCleanup(one.close)
        stopping, errors = threading.Event(), []

        def run(sender: Deliveries) -> None:
            try:
                while not stopping.is_set():
                    sender.send(_BATCH, _RECOVER_SECONDS)
                    stopping.wait(0.05)
            except Exception as error:  # for the test to raise
                errors.append(error)
        threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in senders]
        for thread in threads:
            thread.start()
        try:
            for role in _KILLS:
                goal = sum(one.sent for one in senders) + 2 * _BATCH
                self.product.wait("events that are taken", lambda least=goal: bool(errors) or (
                    sum(one.sent for one in senders) >= least), _RECOVER_SECONDS)
                self._kill(role)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], errors)
        fold = {domain: row for one in senders for domain, row in one.fold.items()}
        print(f"{sum(one.sent for one in senders)} events, {sum(one.again for one in senders)} of "
              f"them again, {sum(one.unanswered for one in senders)} batches sent again, "
              f"{len(fold)} domains, SEED={SEED}", file=sys.stderr, flush=True)
        try:
            self.product.wait("documents that equal the fold",
                              lambda: not differences(query, fold), _RECOVER_SECONDS)
        except ServersError as error:
            self.fail(f"SEED={SEED}: {differences(query, fold)[:5]}: {error}")
        self.assertLessEqual({"unknown", "not-catch-all"}, {row["status"] for row in fold.values()})
        self.assertEqual([], dead_letters(self.stack.kafka, _INDEX))
        self.assertEqual([], differences(query, {"never.example": {
            "status": "unknown", "delivered": 0, "bounced": 0}}))

    def _kill(self, role: str) -> None:
        """One of its pods, which another replaces."""
        selector = f"searchsync.io/index={_INDEX},searchsync.io/role={role}"
        self.product.wait(f"a pod of {role}", lambda: bool(self.product.pods(selector)),
                          _RECOVER_SECONDS)
        time.sleep(self.random.uniform(0, 1))  # at any moment of a transaction
        victim = self.random.choice(self.product.pods(selector))["metadata"]
        self.product.kill_pod(victim["name"])
        self.product.wait(f"another {role}", lambda: victim["uid"] not in {
            pod["metadata"]["uid"] for pod in self.product.pods(selector)}, _RECOVER_SECONDS)


if __name__ == "__main__":
    unittest.main()
