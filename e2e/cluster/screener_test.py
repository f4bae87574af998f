"""The screener on a real Kubernetes, declared with kubectl, under constant changes and queries.

SEED, RUNS and RATE choose the generator's seed, how many test runs there are, and how many changes
are made a second.
"""

import json
import os
import random
import time
import unittest

from e2e import screener_oracle
from e2e.cluster.product import ClusterProduct
from e2e.cluster.readers import Readers
from e2e.harness import engine
from e2e.harness.dead_letters import dead_letters
from e2e.harness.progress import say
from e2e.harness.query import Query
from e2e.harness.screener import INDEX, Screener
from e2e.harness.stream import Stream
from e2e.servers import Cluster, Stack

SEED = int(os.environ.get("SEED") or random.randrange(2**32))
RUNS = int(os.environ.get("RUNS") or 3_000)
RATE = float(os.environ.get("RATE") or 10)

# Against hanging; what a slow machine needs is well within them.
_SERVED_SECONDS = 1800
_RECOVER_SECONDS = 600
_QUIET_SECONDS = 900
_MARKS_EVERY_SECONDS = 0.5
_WORKERS = f"searchsync.io/index={INDEX},searchsync.io/role=worker"


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class ClusterScreenerTest(unittest.TestCase):
    """One story on one cluster; each chapter ends with all well again."""

    @classmethod
    def setUpClass(cls):
        say(f"SEED={SEED} RUNS={RUNS} RATE={RATE}")
        cls.cluster = cls.enterClassContext(Cluster())
        cls.stack = cls.enterClassContext(Stack(host=cls.cluster.node_address, jit=True))
        cls.product = ClusterProduct(cls.cluster)
        cls.product.install()
        cls.screener = Screener(cls.stack, cls.stack.run_dir / "resources", SEED, {
            "replicas: 2\n    sessionTimeout: 45s": "replicas: 2\n    sessionTimeout: 6s"})
        cls.screener.generator.load(RUNS)

    def test_story(self):
        self.product.apply(self.screener.resources)
        self.cluster.kubectl("wait", "--for=condition=Ready", f"searchindex/{INDEX}",
                             f"--timeout={_SERVED_SECONDS}s", seconds=_SERVED_SECONDS + 10)
        self._patch({"reindex": {"cutover": {"stableFor": "2s"}}})
        with Stream(self.screener.generator, RATE) as changes:
            self.screener.mark()
            self.screener.wait_mark(self.product, _RECOVER_SECONDS)
            self.product.wait("an answer through the Service", self._answers,
                              _RECOVER_SECONDS)
            for chapter in (self._reindex, self._roll_back, self._kill_operators, self._lose_worker,
                            self._stop_api_server, self._restart_engine, self._rotate_secret,
                            self._sleep_and_wake):
                say(chapter.__name__.strip("_"))
                chapter()
            made = changes.stop()
        say(f"{made.total()} changes made")
        self._equal()
        self._delete()

    # Each chapter, with readers who must not notice.

    def _reindex(self):
        before = self._serving()
        with self._readers() as readers:
            self._patch({"mappings": {"properties": {"addedLater": {"type": "keyword"}}}})
            self._wait_serving_other_than(before, readers)
            self._mark_for(2)
            self._assert_unnoticed(readers)
        self.assertIn("AliasMoved", self._event_reasons())

    def _roll_back(self):
        """By taking the edit back, and forth again by asking for the index by its name."""
        now = self._serving()
        with self._readers() as readers:
            began = time.monotonic()
            self._patch({"mappings": {"properties": {"addedLater": None}}})
            before = self._wait_serving_other_than(now, readers)
            say(f"rolled back in {time.monotonic() - began:.1f} s")
            self._patch({"reindex": {"serve": now}})
            self._wait_serving_other_than(before, readers)
            self._patch({"reindex": {"serve": None}})
            self._wait_serving_other_than(now, readers)
            self._assert_unnoticed(readers)

    def _kill_operators(self):
        """Whenever one begins a step of a reindex."""
        before = self._serving()
        kills = 0
        with self._readers() as readers:
            self._patch({"mappings": {"properties": {"another": {"type": "keyword"}}}})
            leader, seen = "", 0
            deadline = time.monotonic() + _SERVED_SECONDS
            while self._serving() == before:
                self.assertLess(time.monotonic(), deadline, self.product.describe())
                now = self.product.leader()
                if now != leader:
                    leader, seen = now, 0
                # Nobody leads for a moment when a lease has been given back.
                steps = self._steps(leader) if leader else 0
                if steps > seen:
                    self.product.kill_operator(leader)
                    kills += 1
                    seen = steps
                self._mark_for(_MARKS_EVERY_SECONDS)
            self._assert_unnoticed(readers)
        say(f"{kills} operators were killed")
        self.assertGreater(kills, 2)
        self._ready()

    def _lose_worker(self):
        """A pod, and with it all that it had on disk."""
        victim = self.product.pods(_WORKERS)[0]["metadata"]
        self.product.kill_pod(victim["name"])
        self.product.wait("another worker", lambda: victim["uid"] not in {
            pod["metadata"]["uid"] for pod in self.product.pods(_WORKERS)}, _RECOVER_SECONDS)
        self._comes_through()

    def _stop_api_server(self):
        """Nobody but the operator needs it."""
        pods = {pod["metadata"]["uid"] for pod in self.product.pods(_WORKERS)}
        with self._readers() as readers:
            self.cluster.api.stop()
            mark = self.screener.mark()
            self.product.wait("a change without an API server",
                              lambda: self.screener.marked(mark), _RECOVER_SECONDS)
            self._mark_for(15)
            self.cluster.api.restart()
            self._comes_through()
            self._assert_unnoticed(readers)
        self.assertEqual(pods, {pod["metadata"]["uid"] for pod in self.product.pods(_WORKERS)})
        self._ready()

    def _restart_engine(self):
        self.stack.search.restart()
        self._comes_through()
        self._ready()

    def _rotate_secret(self):
        """Its pods are replaced, and no others."""
        def captures() -> dict[str, str]:
            return {pod["metadata"]["labels"]["searchsync.io/workload"]: pod["metadata"]["uid"]
                    for pod in self.product.pods("searchsync.io/role=capture")}
        before = captures()
        uri = self.stack.postgres.uri("bug")
        self.product.apply_secret("bug-db", {"uri": f"{uri}?application_name=rotated"})
        self.product.wait("another capture of the bugs", lambda: len(captures()) == len(before)
                          and captures()["capture-bug-db"] != before["capture-bug-db"],
                          _RECOVER_SECONDS)
        self._comes_through()
        now = captures()
        self.assertEqual({"capture-bug-db"}, {name for name in now if now[name] != before[name]})

    def _sleep_and_wake(self):
        # Changes go on, so that there is always something to do: more workers first.
        self._patch({"workers": {"autoscaling": {"min": 2, "max": 3, "scaleDownAfter": "5s"}}})
        self._comes_through()
        self._patch({"workers": {"autoscaling": None, "replicas": 1},
                     "reindex": {"keepWarm": "1s"}})
        self.product.wait("one worker", lambda: len(self.product.pods(_WORKERS)) == 1,
                          _RECOVER_SECONDS)
        self._comes_through()

    def _equal(self):
        """Once all is quiet every document is the join, and workers may sleep."""
        self._patch({"workers": {"autoscaling": {"min": 0, "max": 3, "scaleDownAfter": "5s"}}})
        self.screener.wait_quiet(self.product, _QUIET_SECONDS)
        compared = screener_oracle.Comparison(
            screener_oracle.documents(self.screener.connect),
            engine.documents(self.stack.search, INDEX, screener_oracle.parse))
        say(str(compared))
        self.assertEqual([], compared.differences, f"SEED={SEED}")
        self.assertGreater(compared.documents, RUNS / 2)
        self.assertEqual([], dead_letters(self.stack.kafka, INDEX))
        self.product.wait("no worker", lambda: not self.product.pods(_WORKERS),
                          _RECOVER_SECONDS)
        self.assertEqual("True", self.product.condition(INDEX, "Ready"))
        self._comes_through()

    def _delete(self):
        say("delete: data and all")
        self._patch({"deletionPolicy": "Delete"})
        self.product.wait("a finalizer", lambda: "searchsync.io/delete-data" in self.product.index(
            INDEX)["metadata"].get("finalizers", []), _RECOVER_SECONDS)
        self.cluster.kubectl("delete", "searchindex", INDEX, "--timeout=180s")
        self.product.wait("no pod", lambda: not self.product.pods(
            "app.kubernetes.io/managed-by=searchsync"), _RECOVER_SECONDS)
        self.assertEqual(404, self.stack.search.request("GET", f"/{INDEX}")[0])
        # The topics of the databases stay: others may read them.
        self.product.wait("no topic of its own", lambda: not [
            topic for topic in self.stack.kafka.topics()
            if topic.startswith(f"searchsync.default.{INDEX}.")], _RECOVER_SECONDS)

    # What the chapters are told with.

    def _patch(self, spec: dict) -> None:
        self.product.patch("searchindex", INDEX, {"spec": spec})

    def _serving(self) -> str:
        return self.product.index(INDEX)["status"]["serving"]

    def _readers(self) -> Readers:
        return Readers(self.product.address("query", INDEX), INDEX, "marker", lambda document: [
            int(str(document[name]).removeprefix("mark-"))
            for name in ("bugStatus", "testName", "imageTag", "workspaceHostname")])

    def _answers(self) -> bool:
        """By id, and by a search, which sees the marker a refresh later."""
        query = Query(self.product.address("query", INDEX), INDEX)
        try:
            if query.document("marker") is None:
                return False
            answer, _ = query.search({"filter": {"equals": {"field": "id", "value": "marker"}}})
            return bool(answer["hits"])
        finally:
            query.close()

    def _mark_for(self, seconds: float) -> None:
        """New marks, so that a reader would notice one that is lost."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.screener.mark()
            time.sleep(_MARKS_EVERY_SECONDS)

    def _wait_serving_other_than(self, index: str, readers: Readers) -> str:
        deadline = time.monotonic() + _SERVED_SECONDS
        while self._serving() == index:
            self.assertLess(time.monotonic(), deadline, self.product.describe())
            self._mark_for(_MARKS_EVERY_SECONDS)
        self._mark_for(1)
        self.assertGreater(readers.asked, 0)
        return self._serving()

    def _assert_unnoticed(self, readers: Readers) -> None:
        faults = readers.stop()
        say(f"{readers.asked} questions, {len(faults)} bad answers")
        self.assertEqual("", "\n".join(faults[:5] + faults[-5:]))
        self.assertGreater(readers.asked, 100)

    def _steps(self, pod: str) -> int:
        """Steps of this index that an operator has begun."""
        return sum(f"default/{INDEX}: " in line
                   for line in self.product.operator_log(pod).splitlines())

    def _comes_through(self) -> None:
        self.screener.wait_mark(self.product, _RECOVER_SECONDS)

    def _ready(self) -> None:
        self.product.wait("Ready", lambda: self.product.condition(INDEX, "Ready") == "True",
                          _RECOVER_SECONDS)

    def _event_reasons(self) -> set[str]:
        events = json.loads(self.cluster.kubectl(
            "get", "events.events.k8s.io", "--namespace=default", "--output=json"))["items"]
        return {event["reason"] for event in events}


if __name__ == "__main__":
    unittest.main()
