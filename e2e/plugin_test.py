"""`kubectl searchsync` against a real API server, without an operator: the test says in a status what
one would say. Its dead letters are in a real Kafka, with TLS and a password from a secret."""

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from e2e.harness import BINARY, records
from e2e.harness.dead_letters import topic_of
from e2e.harness.operator import (install_definitions, namespace, root_binding, search_index,
                                  status)
from e2e.servers import Authority, Cluster, Stack

_NAMESPACE = "team"
_INDEX = "letters"
_SERVING = "letters-0123abcd"


class PluginTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="searchsync-plugin-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "kubectl-searchsync").symlink_to(BINARY)
        authority = Authority(cls.folder / "authority")
        password = secrets.token_hex(16)
        cls.kafka = cls.enterClassContext(Stack(
            parts=("kafka",), authority=authority, kafka_users={"searchsync": password})).kafka
        cls.kafka.create_topic(topic_of(_INDEX).replace("default", _NAMESPACE))
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)
        cls.cluster.apply(namespace(_NAMESPACE), {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "kafka", "namespace": _NAMESPACE},
            "stringData": {"mechanism": "PLAIN", "username": "searchsync", "password": password,
                           "ca.crt": authority.pem}})
        cls.kafka_spec = {"bootstrapServers": [cls.kafka.secure_address],
                          "credentialsSecretRef": {"name": "kafka"},
                          "caSecretRef": {"name": "kafka", "key": "ca.crt"}}

    def setUp(self):
        """The index and its binding as they are at first."""
        self.cluster.kubectl("delete", "searchindices,sourcebindings", "--all",
                             f"--namespace={_NAMESPACE}")
        self.cluster.apply(self._index(), root_binding(_NAMESPACE, _INDEX))
        self._say_status(serving=_SERVING, desired=_SERVING, phase="Serving")

    def _index(self, **spec: Any) -> dict[str, Any]:
        mappings = {"properties": {"id": {"type": "keyword"}}}
        return search_index(_NAMESPACE, _INDEX,
                            **{"mappings": mappings, "kafka": self.kafka_spec, **spec})

    def _say_status(self, **fields: Any) -> None:
        self.cluster.kubectl("patch", "searchindex", _INDEX, f"--namespace={_NAMESPACE}",
                             "--subresource=status", "--type=merge",
                             f"--patch={json.dumps({'status': fields})}")

    def _plugin(self, *arguments: str, code: int = 0) -> str:
        """As kubectl finds it. What it prints, errors included."""
        kubectl = self.cluster.program("kubectl")
        done = subprocess.run(
            [kubectl, "searchsync", *arguments, "--namespace", _NAMESPACE],
            env={**os.environ, **self.cluster.environment(),
                 "PATH": f"{self.folder}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def _plan(self, *objects: dict[str, Any], code: int = 0) -> str:
        """Of a file with these objects, which do not say their namespace."""
        path = self.folder / "resources.yaml"
        texts = []
        for one in objects:
            meta = {key: value for key, value in one["metadata"].items() if key != "namespace"}
            texts.append(json.dumps({**one, "metadata": meta}))
        path.write_text("\n---\n".join(texts), encoding="utf-8")
        return self._plugin("plan", "--filename", str(path), code=code)

    def _spec(self) -> dict[str, Any]:
        return self.cluster.get("searchindex", _INDEX, f"--namespace={_NAMESPACE}")["spec"]

    def test_plan_says_what_changes_and_what_follows(self):
        before = self._spec()
        self.assertIn("then: nothing changes", self._plan(self._index(),
                                                          root_binding(_NAMESPACE, _INDEX)))
        said = self._plan(self._index(replicas=2))
        self.assertIn("  ~ spec.replicas: 1 -> 2\n", said)
        declared = re.search(r"it changes in place; (letters-\w+) is being built already", said)[1]
        self._say_status(serving=declared)
        self.assertIn("it changes in place, and nothing is rebuilt",
                      self._plan(self._index(replicas=2)))

        mappings = {"properties": {"id": {"type": "text"}}}
        said = self._plan(self._index(mappings=mappings, reindex={"approval": "Manual"}))
        self.assertIn('  ~ spec.mappings.properties.id.type: "keyword" -> "text"\n', said)
        self.assertRegex(said, rf"a reindex: letters-\w+ is built beside {declared}\n")
        self.assertIn("because of mappings\n", said)
        self.assertIn("from the document log that there is", said)
        self.assertIn("kubectl searchsync approve letters", said)

        binding = root_binding(_NAMESPACE, _INDEX, topic="others")
        said = self._plan(binding)
        self.assertIn('~ spec.source.kafka.topic: "letters" -> "others"', said)
        self.assertIn("which are all read again", said)
        self.assertEqual(before, self._spec(), "plan has changed something")

    def test_plan_is_of_what_apply_would_make(self):
        for how, revision in (((), 0), (("--server-side",), 1)):
            with self.subTest(how=how):
                def apply(index: dict[str, Any], how: tuple[str, ...] = how) -> None:
                    self.cluster.kubectl("apply", *how, "--filename=-", stdin=json.dumps(index))
                self.cluster.kubectl("delete", "searchindex", _INDEX, f"--namespace={_NAMESPACE}")
                more = {"properties": {"id": {"type": "keyword"}, "more": {"type": "text"}}}
                apply(self._index(query={"timeout": "5s"}, replicas=2, mappings=more,
                                  reindex={"approval": "Manual"}))
                self._plugin("pause", _INDEX)    # what no file has
                self._plugin("reindex", _INDEX)  # beside what one has
                said = self._plan(self._index(replicas=1))
                for words in ("~ spec.replicas: 2 -> 1", '~ spec.query.timeout: "5s" -> "10s"',
                              '- spec.mappings.properties.more: {"type":"text"}',
                              '~ spec.reindex.approval: "Manual" -> "Automatic"'):
                    self.assertIn(f"  {words}\n", said)
                self.assertNotIn("spec.suspend:", said)
                self.assertIs(revision == 0, "~ spec.reindex.revision: 1 -> 0\n" in said, said)
                apply(self._index(replicas=1))
                self.assertIn("no change", self._plan(self._index(replicas=1)))
                after = self._spec()
                self.assertIs(True, after["suspend"])
                self.assertEqual(revision, after["reindex"]["revision"])
                self.assertNotIn("more", after["mappings"]["properties"])

    def test_plan_of_what_the_cluster_does_not_take(self):
        other = self._index(indexName="others", workers={"partitions": 2})
        said = self._plan(other, code=1)
        self.assertIn(f"the cluster refuses SearchIndex {_NAMESPACE}/{_INDEX}", said)
        self.assertIn("indexName", said)
        self.assertIn("partitions", said)

    def test_plan_of_what_is_not_there(self):
        other = search_index(_NAMESPACE, "others")
        said = self._plan(other, root_binding(_NAMESPACE, "others"))
        self.assertIn(f"SearchIndex {_NAMESPACE}/others: is created", said)
        self.assertRegex(said, r"others, then: others-\w+ is built; readers get it when")

    def test_plan_refuses_what_is_wrong(self):
        binding = root_binding(_NAMESPACE, _INDEX)
        for change, words in (({"key": []}, "spec.key"), ({"indexRef": {"name": "x"}}, "team/x"),
                              ({"relation": {"lookup": {"of": "nobody", "from": ["id"]}}},
                               "nobody")):
            with self.subTest(change=change):
                wrong = {**binding, "spec": {**binding["spec"], **change}}
                said = self._plan(wrong, code=1)
                self.assertIn("faults", said)
                self.assertIn(words, said)
        self.assertIn("cannot be read", self._plugin("plan", "-f", "/nowhere", code=1))

    def test_what_people_ask_for_is_in_the_spec(self):
        self._plugin("pause", _INDEX)
        self.assertIs(True, self._spec()["suspend"])
        self._plugin("resume", _INDEX)
        self.assertIs(False, self._spec()["suspend"])
        of = ("searchindex", _INDEX, f"--namespace={_NAMESPACE}")
        self.cluster.kubectl("label", *of, "searchsync.io/database=shop")
        self.assertIn("is made from SearchIndex shop", self._plugin("pause", _INDEX, code=1))
        self.assertIs(False, self._spec()["suspend"])
        self.cluster.kubectl("label", *of, "searchsync.io/database-")
        self._plugin("reindex", _INDEX)
        self.assertEqual(1, self._spec()["reindex"]["revision"])
        self.assertIn("does not wait for approval", self._plugin("approve", _INDEX, code=1))
        self._say_status(phase="AwaitingApproval", desired="letters-4567")
        self.cluster.apply(self._index(reindex={"approval": "Manual"}))
        self._plugin("approve", _INDEX)
        self.assertEqual("letters-4567", self._spec()["reindex"]["approved"])
        self.assertIn("no index is kept warm", self._plugin("rollback", _INDEX, code=1))
        self.assertRegex(self._plugin("status"), rf"(?m)^{_NAMESPACE} +{_INDEX} ")
        self.assertEqual("AwaitingApproval", status(self.cluster, _NAMESPACE, _INDEX)["phase"])
        for command in ("status", "pause", "resume", "forward"):
            self.assertIn("there is no SearchIndex nobody", self._plugin(command, "nobody", code=1))

    def test_dead_letters_are_seen_and_dropped(self):
        topic = topic_of(_INDEX).replace("default", _NAMESPACE)
        records.produce_with_headers(self.kafka, topic, (b"key", b'{"a": 1}'), {
            "searchsync-stage": "decode", "searchsync-binding": "letters-root",
            "searchsync-topic": "letters", "searchsync-partition": "0",
            "searchsync-offset": "7", "searchsync-reason": "it is too blue"})
        listing = json.loads(self._plugin("dlq", "list", _INDEX, "-o", "json"))
        self.assertEqual(1, listing["total"])
        position = listing["letters"][0]["position"]
        self.assertIn("it is too blue", self._plugin("dlq", "list", _INDEX))
        self.assertIn('\n{\n  "a": 1\n}\n', self._plugin("dlq", "show", _INDEX, position))
        self.assertIn("does not exist", self._plugin("dlq", "replay", _INDEX, "--all", code=1))
        self.assertEqual("1 dropped\n", self._plugin("dlq", "drop", _INDEX, position))
        self.assertEqual("there are no dead letters\n", self._plugin("dlq", "list", _INDEX))

    def test_kafka_out_of_reach_says_how_to_reach_it(self):
        self.cluster.apply(self._index(kafka={"bootstrapServers": ["127.0.0.1:9"]}))
        said = self._plugin("dlq", "list", _INDEX, code=1)
        self.assertIn("no broker reachable at 127.0.0.1:9", said)
        self.assertIn(f"kubectl exec --namespace {_NAMESPACE} POD -- searchsync dlq list "
                      "/etc/searchsync/config/config.json letters", said)
        self.cluster.apply(self._index(kafka={**self.kafka_spec,
                                              "credentialsSecretRef": {"name": "nobody"}}))
        self.assertIn("there is no secret team/nobody",
                      self._plugin("dlq", "list", _INDEX, code=1))


if __name__ == "__main__":
    unittest.main()
