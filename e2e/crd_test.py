"""The custom resource definitions, as a real API server takes them: what they accept and refuse,
and that this is what searchsync reads. Needs what `make unit` builds; BUILD is another folder.
"""

import base64
import contextlib
import copy
import http.client
import json
import os
import random
import re
import ssl
import subprocess
import unittest
import urllib.parse
from pathlib import Path
from typing import Any

from e2e.crd_cases import API, IMMUTABLE, INDEX, REFUSED, STATUS, changed
from e2e.servers import Cluster, ServersError, wait_until

_ROOT = Path(__file__).parents[1]
_BUILD = Path(os.environ.get("BUILD", _ROOT / "build" / "dev"))
_MUTANTS = 600
_SEED = 20261031
_PLURALS = {"SearchIndex": "searchindices", "SourceBinding": "sourcebindings"}

# What the API server may refuse and the parser alone takes: `searchsync validate` sees to these.
_VALIDATED = ("expected a URL", "holds credentials", "expected a broker", "of itself",
              "only a root has these", "name one column of `of`", "as many columns as near",
              "after `far.`", "Elasticsearch keeps for itself", "means the root binding",
              "spec.mappings.properties", "source.http.columns does not have")

_VALUES = (
    None, True, 0, -1, 1, 5, 1.0, 2.5, 1e3, 99, 1025, 70000, 2**31, 2**40, "", "a", "A", "a b",
    "-a", "a.b", ".a", "ü", "ü" * 150, "x" * 300, "_id", "far.", "root", "Null", "true", "0s",
    "1ms", "1500ms", "90d", "91d", "007s", "1e3s", "10", "+1s", " 1s", "1.5h", "99999999999d",
    "100000000000d", "10Gi", "0Gi", "a\u000bb", "a\u00a0b", "Automatic", "Manual", "Ascending",
    "Json", [], ["a"], ["a", "a"], [[]], {}, {"name": "a"}, {"a": 1})


def _json_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _leaves(node: Any, path: tuple = ()) -> list[tuple]:
    """Paths to all there is below `node`."""
    below = (node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list)
             else ())
    paths = []
    for key, value in below:
        paths += [(*path, key), *_leaves(value, (*path, key))]
    return paths


class Api:
    """Asks an API server whether it would take an object. kubectl looks at it first itself, and
    hands over half of what the server says.

    kept: what it would make of the last object that it would take.
    """

    def __init__(self, cluster: Cluster):
        self.kept: dict[str, Any] = {}
        config = json.loads(cluster.kubectl("config", "view", "--raw", "--output=json"))
        self._token = config["users"][0]["user"]["token"]
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
        address = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"]).netloc
        self._connection = http.client.HTTPSConnection(
            address, context=ssl.create_default_context(cadata=authority.decode()), timeout=60)

    def close(self) -> None:
        self._connection.close()

    def create(self, one: dict[str, Any]) -> dict[str, str]:
        """What is wrong, by the path of the field; "" is the object as a whole. {}: nothing."""
        return self._ask("POST", _folder(one), one)

    def replace(self, one: dict[str, Any]) -> dict[str, str]:
        """As create(), of an object that is there."""
        return self._ask("PUT", f"{_folder(one)}/{one['metadata']['name']}", one)

    def _ask(self, method: str, path: str, one: dict[str, Any]) -> dict[str, str]:
        self._connection.request(
            method, f"{path}?dryRun=All&fieldValidation=Strict", json.dumps(one),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        self._connection.close()  # or the server does, of one that is idle for long
        if response.status < 300:
            self.kept = answer
            return {}
        said: dict[str, str] = {}
        for cause in answer.get("details", {}).get("causes", [{"message": answer["message"]}]):
            field = cause.get("field", "")
            said[field] = said.get(field, "") + cause["message"] + "\n"
        return said


def _folder(one: dict[str, Any]) -> str:
    return f"/apis/{API}/namespaces/default/{_PLURALS[one['kind']]}"


class CrdTest(unittest.TestCase):
    """One API server for all; the definitions are those of the tree, applied as users do."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        cls.cluster.kubectl("apply", "--server-side", f"--filename={_ROOT / 'crds'}")
        for plural in _PLURALS.values():
            cls.cluster.kubectl("wait", "--for=condition=Established", "--timeout=120s",
                                f"crd/{plural}.searchsync.io")
        wait_until(lambda: "apis/searchsync.io/v1alpha1" in cls.cluster.kubectl(
            "get", "--raw", "/openapi/v3"), 120, lambda: "kubectl explain has no schemas")
        cls.api = cls.enterClassContext(contextlib.closing(Api(cls.cluster)))

    def test_the_schemas_are_structural(self):
        for kind, plural in _PLURALS.items():
            crd = self.cluster.get("crd", f"{plural}.searchsync.io")
            conditions = {one["type"]: one["status"] for one in crd["status"]["conditions"]}
            self.assertEqual({"NamesAccepted": "True", "Established": "True"}, conditions)
            self.assertEqual(kind, crd["spec"]["names"]["kind"])
            self.assertNotIn("all", crd["spec"]["names"]["categories"])

    def test_the_example_is_accepted_and_shows_its_defaults(self):
        self.cluster.kubectl("create", "namespace", "example")
        self.cluster.kubectl("apply", "--server-side", "--namespace=example",
                             f"--filename={_ROOT / 'examples/screener/resources'}")
        spec = self.cluster.get("sidx", "test-runs", "--namespace=example")["spec"]
        self.assertEqual("Automatic", spec["reindex"]["approval"])
        self.assertEqual({"bytesMax": 5242880, "delay": "5ms", "documentsMax": 1000,
                          "requestsInFlight": 2}, spec["workers"]["bulk"])
        self.assertEqual("10s", spec["query"]["timeout"])
        for absent in ("autoscaling", "storage", "resources"):
            self.assertNotIn(absent, spec["workers"])
        self.assertNotIn("approved", spec["reindex"])
        every = self.cluster.get("sbind", "--namespace=example")["items"]
        selected = self.cluster.get("sbind", "--namespace=example",
                                    "--field-selector=spec.indexRef.name=test-runs")["items"]
        self.assertEqual(len(every), len(selected))
        self.assertEqual({"policy": "DeadLetter", "maxDeadLetters": 1000},
                         every[0]["spec"]["errors"])
        self.assertEqual("test-runs", self._columns("sbind", "--namespace=example")["INDEX"])
        self.assertIn("sourcebinding.searchsync.io/bug", self.cluster.kubectl(
            "get", "searchsync", "--namespace=example", "--output=name"))

    def test_what_is_wrong_is_refused_with_what_to_do(self):
        said: list[str] = []
        for base, changes, expected in REFUSED:
            with self.subTest(changes=str(changes)[:200]):
                said += self._assert_says(expected, self.api.create(changed(base, changes)))
        for before, changes, expected in IMMUTABLE:
            with self.subTest(changes=changes):
                self.cluster.apply(changed(INDEX, {"metadata.name": "immutable", **before}))
                there = self.cluster.get("sidx", "immutable")
                self.assertEqual({}, self.api.replace(there))
                said += self._assert_says(expected, self.api.replace(changed(there, changes)))
                self.cluster.kubectl("delete", "sidx", "immutable")
        self.assertEqual([], [rule for rule in self._messages()
                              if not any(rule in one for one in said)],
                         "rules that no case above breaks")

    def test_an_index_may_say_its_own_name(self):
        for spec in ({}, {"spec.indexName": "same"}, {}):
            self.cluster.apply(changed(INDEX, {"metadata.name": "same", **spec}))
        self.cluster.apply(changed(INDEX, {"metadata.name": "same", "spec.replicas": 0}))

    def test_the_status_is_shown_and_workers_scale(self):
        self.cluster.apply(changed(INDEX, {"metadata.name": "shown", "status": STATUS}))
        self.assertNotIn("status", self.cluster.get("sidx", "shown"))
        self.cluster.kubectl("patch", "sidx", "shown", "--subresource=status", "--type=merge",
                             f"--patch={json.dumps({'status': STATUS})}")
        self.assertEqual(STATUS, self.cluster.get("sidx", "shown")["status"])
        narrow = self._columns("sidx", "shown")
        for name, value in {"READY": "False", "PHASE": "Building", "SERVING": "runs-1", "LAG": "12",
                            "PROGRESS": "40"}.items():
            self.assertEqual(value, narrow[name])
        self.assertNotIn("MESSAGE", narrow)
        self.assertIn("MESSAGE", self._columns("sidx", "shown", "--output=wide"))

        self.cluster.kubectl("scale", "sidx/shown", "--replicas=3", "--current-replicas=1")
        self.assertEqual(3, self.cluster.get("sidx", "shown")["spec"]["workers"]["replicas"])
        scale = json.loads(self.cluster.kubectl(
            "get", "--raw", f"/apis/{API}/namespaces/default/searchindices/shown/scale"))
        self.assertEqual({"replicas": 2, "selector": "app=searchsync"}, scale["status"])

    def test_a_status_of_the_wrong_form_is_refused(self):
        self.cluster.apply(changed(INDEX, {"metadata.name": "formless"}))
        for wrong in ({"progress": 101}, {"lagSeconds": 0.5}, {"message": 4097 * "x"},
                      {"conditions": 2 * STATUS["conditions"]}):
            with self.subTest(str(wrong)[:80]), self.assertRaises(ServersError):
                self.cluster.kubectl("patch", "sidx", "formless", "--subresource=status",
                                     "--type=merge", f"--patch={json.dumps({'status': wrong})}")

    def test_every_field_is_explained(self):
        for plural in _PLURALS.values():
            text = self.cluster.kubectl("explain", plural, "--recursive")
            self.assertIn("status", text)
            crd = self.cluster.get("crd", f"{plural}.searchsync.io")
            root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            self.assertEqual([], self._undescribed(root, ""))
        text = self.cluster.kubectl("explain", "searchindex.spec.reindex.cutover")
        self.assertIn("When a rebuilt index may take over", text)
        self.assertIn("at most this many records behind", text)
        text = self.cluster.kubectl("explain", "sidx.spec.reindex.approval")
        self.assertIn("- Manual: When they hold and a person has approved it.", text)

    def test_it_accepts_what_searchsync_reads(self):
        """Random resources that use every field."""
        for one in self._drawn():
            with self.subTest(one["metadata"]["name"]):
                self.assertEqual({}, self.api.create(one), json.dumps(one))

    def test_searchsync_reads_what_it_accepts(self):
        """Random resources, each spoiled in one place: accepted or refused by both, and with the
        same defaults."""
        chance = random.Random(_SEED)
        drawn = self._drawn()
        mutants = [self._mutant(chance, chance.choice(drawn)) for _ in range(_MUTANTS)]
        refusals, kept = [], []
        for mutant in mutants:
            refusals.append(self.api.create(mutant))
            kept.append(mutant if refusals[-1] else self.api.kept)
        read, read_back = self._read(mutants), self._read(kept)
        for mutant, refusal, ours, theirs in zip(mutants, refusals, read, read_back, strict=True):
            with self.subTest(json.dumps(mutant)):
                if not refusal:
                    self.assertIsInstance(theirs, dict, theirs)
                    if isinstance(ours, dict):
                        self.assertEqual(theirs["spec"], ours["spec"])
                    else:
                        self.assertIn("found the number", ours, "1.0, which it makes 1 of")
                elif isinstance(ours, dict):
                    self.assertTrue(any(one in str(refusal) for one in _VALIDATED), refusal)
        self.assertGreater(refusals.count({}), _MUTANTS // 20)
        self.assertLess(refusals.count({}), _MUTANTS // 2)

    def _assert_says(self, expected: dict[str, str], found: dict[str, str]) -> list[str]:
        for path, message in expected.items():
            self.assertIn(message, found.get(path, ""), found)
        return list(found.values())

    def _drawn(self) -> list[dict[str, Any]]:
        path = self.cluster.run_dir / "drawn"
        self._model_test("CrdContract.DrawsObjects", SEARCHSYNC_TEST_DRAWN=str(path))
        objects = _json_lines(path)
        for number, one in enumerate(objects):
            one["metadata"] = {"name": f"drawn-{number}", "namespace": "default"}
        return objects

    def _read(self, objects: list[dict[str, Any]]) -> list[dict[str, Any] | str]:
        """As searchsync reads them, or what it finds wrong."""
        path = self.cluster.run_dir / "objects"
        path.write_text("".join(json.dumps(one) + "\n" for one in objects), encoding="utf-8")
        self._model_test("CrdContract.ReadsObjects", SEARCHSYNC_TEST_OBJECTS=str(path))
        return _json_lines(path.with_name("objects.read"))

    def _model_test(self, test: str, **environment: str) -> None:
        done = subprocess.run([str(_BUILD / "lib/model/model_test"), f"--gtest_filter={test}"],
                              env={**os.environ, **environment}, text=True, cwd=_ROOT, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.assertEqual(0, done.returncode, done.stdout[-10_000:])
        self.assertIn("PASSED  ] 1 test", done.stdout)

    @staticmethod
    def _mutant(chance: random.Random, drawn: dict[str, Any]) -> dict[str, Any]:
        """With one value changed, taken away, put in or written twice."""
        mutant = copy.deepcopy(drawn)
        opaque = {"mappings", "settings", "resources", "query"}
        paths = [path for path in _leaves(mutant["spec"]) if not opaque & set(path[:-1])]
        *folders, key = chance.choice(paths)
        place = mutant["spec"]
        for folder in folders:
            place = place[folder]
        what = chance.randrange(8)
        if what == 0 and isinstance(place, dict):
            del place[key]
        elif what == 1 and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        elif what == 2 and isinstance(place[key], str):
            place[key] += chance.choice(["\n", " ", "é", "9", ".", "Z", "/", "\\", '"'])
        elif what == 3 and isinstance(place, dict):
            place[chance.choice(("approved", "of", "min", "hitsMax", "more", "lookup", "root"))] = (
                chance.choice(_VALUES))
        else:
            place[key] = chance.choice(_VALUES)
        return mutant

    def _columns(self, *arguments: str) -> dict[str, str]:
        """What `kubectl get` shows of the first object, by the column's name."""
        names, values = self.cluster.kubectl("get", *arguments).splitlines()[:2]
        starts = [(found.start(), found[0]) for found in re.finditer(r"\S+", names)]
        return {name: re.split(r"\s{2,}", values[start:])[0] for start, name in starts}

    def _messages(self) -> set[str]:
        """Of all rules."""
        def below(node: Any) -> set[str]:
            if isinstance(node, list):
                return set().union(*map(below, node))
            if not isinstance(node, dict):
                return set()
            rules = node.get("x-kubernetes-validations", [])
            return {rule["message"] for rule in rules if "message" in rule}.union(
                *map(below, node.values()))

        return set().union(*(below(self.cluster.get("crd", f"{plural}.searchsync.io")["spec"])
                             for plural in _PLURALS.values()))

    def _undescribed(self, schema: dict[str, Any], path: str) -> list[str]:
        """Fields without a description."""
        found = []
        for name, one in schema.get("properties", {}).items():
            here = f"{path}.{name}".lstrip(".")
            if here in ("metadata", "spec.mappings.properties"):
                continue
            found += [*([] if one.get("description") else [here]), *self._undescribed(one, here)]
        if "items" in schema:
            found += self._undescribed(schema["items"], f"{path}[]")
        return found


if __name__ == "__main__":
    unittest.main()
