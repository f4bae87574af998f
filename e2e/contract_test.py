"""The contract tests of `lib` and `query`, against the real servers: without these they run against
the fakes, or not at all. Needs what `make unit` builds. SEARCH chooses the engine.
"""

import os
import subprocess
import unittest
from pathlib import Path

from e2e.servers import Cluster, Stack

_BUILD = Path(__file__).parents[1] / "build" / "dev"
_SECONDS = 900


class ContractTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(parts=("kafka", "search")))

    def test_the_search_engine(self):
        for binary in ("lib/elastic/elastic_contract_test", "query/query_contract_test"):
            with self.subTest(binary):
                self._run(binary, SEARCHSYNC_TEST_SEARCH=self.stack.search.url)

    def test_kafka(self):
        self._run("lib/kafka/kafka_test", "--gtest_filter=*/Real",
                  SEARCHSYNC_TEST_KAFKA=self.stack.kafka.address)

    def test_kubernetes(self):
        with Cluster(api_only=True) as cluster:
            self._run("lib/kube/kube_contract_test",
                      SEARCHSYNC_TEST_KUBECONFIG=str(cluster.kubeconfig))

    def _run(self, binary: str, *arguments: str, **environment: str) -> None:
        done = subprocess.run([str(_BUILD / binary), *arguments],
                              env={**os.environ, **environment}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_SECONDS,
                              check=False)
        self.assertEqual(0, done.returncode, done.stdout[-10_000:])
        self.assertIn("[       OK ]", done.stdout)
        self.assertNotIn("SKIPPED", done.stdout)


if __name__ == "__main__":
    unittest.main()
