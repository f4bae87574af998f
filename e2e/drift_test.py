"""What somebody changes past SearchSync, on a real search engine: it is found, and by policy put
right or only reported. In a cluster of which only the API server is there, and in a folder.

SEARCH chooses the engine.
"""

import json
import subprocess
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from e2e.harness import SearchSync, engine
from e2e.harness.operator import (Operator, install_definitions, root_binding, search_index,
                                  status)
from e2e.harness.product import BINARY, text_of
from e2e.servers import Cluster, Process, Stack

_SECONDS = 600
_stack: Stack
_SETTINGS = ("index.number_of_replicas", "index.refresh_interval", "index.gc_deletes")
_ROWS = {str(number): {"id": str(number), "text": f"letter {number}"} for number in range(30)}


def setUpModule():
    global _stack
    _stack = unittest.enterModuleContext(Stack(parts=("kafka", "search")))
    _stack.kafka.create_topic("letters")
    _stack.kafka.produce("letters", [(key, json.dumps(row)) for key, row in _ROWS.items()])


def _resources(name: str, fields: tuple[str, ...],
               **spec: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A SearchIndex over the rows, of these fields, and its binding."""
    reindex = {"cutover": {"stableFor": "1s"}, **spec.pop("reindex", {})}
    binding = root_binding("default", name)
    binding["spec"]["source"]["kafka"]["format"] = "Json"
    binding["spec"]["fields"] = [{"from": field, "to": field} for field in fields]
    return search_index("default", name, **{
        "elasticsearch": {"urls": [_stack.search.url]},
        "kafka": {"bootstrapServers": [_stack.kafka.address]}, "replicas": 0,
        "workers": {"partitions": 2}, "query": {"replicas": 0}, "deletionPolicy": "Delete",
        "mappings": {"dynamic": "strict", "properties": {
            field: {"type": "keyword", "ignore_above": "256"} for field in fields}},
        "settings": {"max_result_window": 5000, "analysis": {"analyzer": {"folded": {
            "tokenizer": "standard", "filter": "lowercase"}}}}, "reindex": reindex, **spec}), binding


class _Index:
    """One index of the engine, and the alias that should lead to it, past SearchSync."""

    def __init__(self, alias: str, index: str):
        self._alias, self.name = alias, index
        self.meta = self.get()["mappings"]["_meta"]

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        code, answer = _stack.search.request(method, path, body)
        if code != 200:
            raise AssertionError(f"{method} {path}: {code} {answer}")
        return answer

    def get(self) -> dict[str, Any]:
        return self.ask("GET", f"/{self.name}?flat_settings=true")[self.name]

    def alias(self) -> dict[str, Any]:
        """Where it leads, and how."""
        code, answer = _stack.search.request("GET", f"/_alias/{self._alias}")
        return {} if code == 404 else {index: one["aliases"][self._alias]
                                       for index, one in answer.items()}

    def state(self) -> dict[str, Any]:
        """All that can be put right."""
        found = self.get()
        return {"alias": self.alias(), "_meta": found["mappings"].get("_meta"),
                "writes": found["aliases"].get(f"{self.name}.Write"),
                **{name: found["settings"].get(name) for name in _SETTINGS}}

    def point_alias(self, *actions: tuple[str, str, dict[str, Any]]) -> None:
        self.ask("POST", "/_aliases", {"actions": [
            {verb: {"index": index, "alias": self._alias, **how}} for verb, index, how in actions]})

    def write_by(self, verb: str, **how: Any) -> None:
        """Its write alias."""
        self.ask("POST", "/_aliases", {"actions": [
            {verb: {"index": self.name, "alias": f"{self.name}.Write", **how}}]})

    def set(self, **settings: Any) -> None:
        self.ask("PUT", f"/{self.name}/_settings", {"index": settings})

    def map(self, **mappings: Any) -> None:
        self.ask("PUT", f"/{self.name}/_mapping", mappings)


@dataclass(frozen=True)
class _Change:
    what: str
    reason: str
    says: str  # of its message
    do: Callable[[_Index], None]
    undo: Callable[[_Index], None]


def _changes(index: str, theirs: str) -> list[_Change]:
    """Of what can be put right."""
    def moved(what: str, says: str, *actions: tuple[str, str, dict[str, Any]],
              undo: tuple[tuple[str, str, dict[str, Any]], ...]) -> _Change:
        return _Change(what, "AliasChanged", says, lambda on: on.point_alias(*actions),
                       lambda on: on.point_alias(*undo))
    here = ("add", index, {})
    there = ("add", theirs, {})
    gone = ("remove", index, {})
    back = (("remove", theirs, {}), here)
    return [
        # First: it is written as of the newest edit.
        _Change("what the index says of itself", "MappingsChanged", "_meta does not say",
                lambda on: on.map(_meta={"note": "ours now"}),
                lambda on: on.map(_meta=on.meta)),
        moved("the alias is taken away", f"leads nowhere, not to {index}", gone, undo=(here,)),
        moved("the alias is moved to an index of others", f"leads to {theirs}, not to {index}",
              gone, there, undo=back),
        moved("the alias leads to an index of others, too", f"leads to {index}, {theirs}, not to",
              there, undo=back),
        moved("the alias has a filter", "leads to a part of", (
            "add", index, {"filter": {"term": {"id": "1"}}}), undo=(here,)),
        _Change("the write alias is taken away", "WriteAliasChanged", f"{index}.Write",
                lambda on: on.write_by("remove"), lambda on: on.write_by("add", is_hidden=True)),
        _Change("replicas and refresh interval", "SettingsChanged",
                "has 1 replicas and a refresh every 7000 ms, not 0 replicas",
                lambda on: on.set(number_of_replicas=1, refresh_interval="7s"),
                lambda on: on.set(number_of_replicas=0, refresh_interval="1000ms")),
        _Change("how long deletions are remembered", "SettingsChanged", "gc_deletes of 10000 ms",
                lambda on: on.set(gc_deletes="10s"), lambda on: on.set(gc_deletes="1h")),
    ]


class ClusterTest(unittest.TestCase):
    """The worker is a process of this test: there is no node."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(dir="/tmp")))
        cls.cluster = cls.enterClassContext(Cluster(api_only=True))
        install_definitions(cls.cluster)
        cls.operator = cls.enterClassContext(Operator(cls.cluster, cls.folder / "operator"))

    def setUp(self):
        name = self._testMethodName.rsplit("_", 1)[-1]
        self.name, self.theirs = name, f"{name}-theirs"
        self.edits = 0
        self._declare()
        self.operator.wait("what a worker is to run", lambda: self._worker_config() is not None,
                           _SECONDS)
        self.enterContext(self._worker())
        self.operator.wait("alias", lambda: self._status().get("phase") == "Serving", _SECONDS)
        self.index = _Index(name, self._status()["serving"])
        self.index.ask("PUT", f"/{self.theirs}", {"mappings": {"properties": {
            "id": {"type": "keyword"}}}, "aliases": {"somebody": {}}})
        self.foreign = self._foreign()
        self.right = self.index.state()
        self.assertEqual({self.index.name: {}}, self.right["alias"])
        self._wait_drifted("False", "AsDeclared", "")

    def tearDown(self):
        self.assertEqual(self._foreign()["mappings"], self.foreign["mappings"])
        self.assertEqual(self._foreign()["settings"], self.foreign["settings"])
        self.assertEqual({"somebody": {}}, self._foreign()["aliases"])
        self.cluster.kubectl("delete", "searchindex", self.name, "--timeout=180s")
        self.assertEqual({self.theirs}, self._indices())

    def _declare(self, **spec: Any) -> None:
        """Returns when the operator goes by it."""
        self.cluster.apply(*_resources(self.name, ("id", "text"), **spec))
        self._wait_observed()

    def _wait_observed(self) -> None:
        def observed() -> bool:
            index = self.cluster.get("searchindex", self.name)
            return index["status"]["observedGeneration"] == index["metadata"]["generation"]
        self.operator.wait("round", observed, _SECONDS)

    def _worker_config(self) -> str | None:
        maps = self.cluster.get("configmaps", f"--selector=searchsync.io/index={self.name},"
                                              "searchsync.io/role=worker")["items"]
        return maps[0]["data"]["config.json"] if maps else None

    def _worker(self) -> "_Worker":
        return _Worker(self.folder / f"worker-{self.name}", self._worker_config())

    def _foreign(self) -> dict[str, Any]:
        return self.index.ask("GET", f"/{self.theirs}?flat_settings=true")[self.theirs]

    def _indices(self) -> set[str]:
        return set(self.index.ask("GET", f"/{self.name}-*"))

    def _status(self) -> dict[str, Any]:
        return status(self.cluster, "default", self.name)

    def _condition(self, type_: str) -> dict[str, Any]:
        return {one["type"]: one for one in self._status()["conditions"]}[type_]

    def _wait_drifted(self, value: str, reason: str, says: str) -> None:
        def holds() -> bool:
            found = self._condition("Drifted")
            return (found["status"], found["reason"]) == (value, reason) and says in found["message"]
        self.operator.wait(f"condition Drifted {value} {reason} {says}", holds, _SECONDS)

    def _events(self, reason: str) -> list[str]:
        """Their messages."""
        return [one["message"] for one in self.cluster.get("events")["items"]
                if one["reason"] == reason and one["involvedObject"]["name"] == self.name]

    def _rounds(self, count: int = 1) -> None:
        """Returns when the operator has looked so many times again. By itself it looks every ten
        seconds; at once where somebody edits what has nothing to do with all this."""
        for _ in range(count):
            self.edits += 1
            self.cluster.kubectl(
                "patch", "searchindex", self.name, "--type=merge", "--patch",
                json.dumps({"spec": {"reindex": {"keepWarm": f"{60 + self.edits}m"}}}))
            self._wait_observed()

    def test_all_that_can_be_is_put_right(self):
        def said(change: _Change) -> list[str]:
            return [one for one in self._events("DriftDetected") if change.says in one]
        for number, change in enumerate(_changes(self.index.name, self.theirs)):
            with self.subTest(change.what):
                change.do(self.index)
                if number > 0:
                    self._rounds()
                self.operator.wait("it as it was", lambda: self.index.state() == self.right,
                                   _SECONDS)
                self.operator.wait(f"event with {change.says}", lambda: len(said(change)) == 1,
                                   _SECONDS)
                self._wait_drifted("False", "AsDeclared", "")
                self.assertEqual(1, len(said(change)))
                self.assertEqual("False", self._condition("Stalled")["status"])
        self.assertEqual(["all is as declared"], sorted(set(self._events("DriftEnded"))))
        self._rounds(2)
        self.assertEqual(self.right, self.index.state())

    def test_all_stays_where_it_is_to_be_reported(self):
        self._declare(drift="Report")
        for change in _changes(self.index.name, self.theirs):
            with self.subTest(change.what):
                change.do(self.index)
                changed = self.index.state()
                self._rounds(2)
                self._wait_drifted("True", change.reason, change.says)
                self.assertEqual(changed, self.index.state())
                said = [one for one in self._events("DriftDetected") if change.says in one]
                self.assertEqual(1, len(said), said)
                self.assertIn("Correct", said[0])
                stalled = change.reason == "AliasChanged"
                self.assertEqual(str(stalled), self._condition("Stalled")["status"])
                self.assertIn(change.says, self._status()["message"])
                self.assertEqual(1, self.operator.metric(
                    "searchsync_index_condition",
                    f'condition="Drifted",index="default/{self.name}"'))
                change.undo(self.index)
                self.assertEqual(self.right, self.index.state())
                self._rounds()
                self._wait_drifted("False", "AsDeclared", "")
        # What a person declares is another matter.
        self._declare(drift="Report", refreshInterval="2s")
        self.operator.wait("what is declared", lambda: self.index.state() == {
            **self.right, "index.refresh_interval": "2000ms"}, _SECONDS)
        self._wait_drifted("False", "AsDeclared", "")

    def test_what_no_edit_in_place_puts_right_is_reported_in_any_case(self):
        self.index.ask("POST", f"/{self.index.name}/_close")
        self._wait_drifted("True", "IndexClosed", f"POST /{self.index.name}/_open")
        self.assertEqual("IndexClosed", self._condition("Available")["reason"])
        self._rounds(2)
        self.index.ask("POST", f"/{self.index.name}/_open")
        self._rounds()
        self._wait_drifted("False", "AsDeclared", "")

        self.index.map(properties={"extra": {"type": "long"}})
        self.index.set(max_result_window=10)
        for policy in ("Correct", "Report"):
            with self.subTest(policy):
                self._declare(drift=policy)
                self._wait_drifted("True", "MappingsChanged", "field extra is not declared")
                self._wait_drifted("True", "MappingsChanged",
                                   "setting index.max_result_window is 10, not 5000")
                self._rounds(3)
                self.assertEqual({self.index.name, self.theirs}, self._indices())
                self.assertEqual("Serving", self._status()["phase"])
        message = self._condition("Drifted")["message"]
        self.assertIn("raise spec.reindex.revision", message)
        # As docs/operations.md has it.
        self.assertEqual(message, self.cluster.kubectl(
            "get", "searchindex", self.name, "-o",
            "jsonpath={.status.conditions[?(@.type==\"Drifted\")].message}"))
        self.assertIn("DriftDetected", self.cluster.kubectl(
            "events", "--for", f"searchindex/{self.name}"))
        self._declare(reindex={"revision": 1})
        self.operator.wait("another index", lambda: len(self._indices()) == 3, _SECONDS)
        self.assertEqual(self.right, self.index.state())


class _Worker(Process):
    """One of a configuration. A context manager: it runs inside."""

    def __init__(self, folder: Path, config: str):
        (folder / "secrets").mkdir(parents=True)
        (folder / "config.json").write_text(config, encoding="utf-8")
        super().__init__("worker", [
            str(BINARY), "worker", "--config", str(folder / "config.json"), "--secrets",
            str(folder / "secrets"), "--listen", "127.0.0.1:0", "--state-dir",
            str(folder / "state")], folder / "worker.log")

    def __enter__(self) -> "_Worker":
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.kill()


class FolderTest(unittest.TestCase):
    """With workers, so that there are several generations."""

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(dir="/tmp")))
        self.name = "folder-" + self._testMethodName.rsplit("_", 1)[-1]
        self.resources, self.state = folder / "resources", folder / "product" / "state"
        self.resources.mkdir()
        self._declare(("id",))
        self.product = self.enterContext(SearchSync(self.resources, folder / "product"))

    def _declare(self, fields: tuple[str, ...], **spec: Any) -> None:
        reindex = {"keepWarm": "1h", **spec.pop("reindex", {})}
        text = "\n---\n".join(json.dumps(one) for one in _resources(
            self.name, fields, reindex=reindex, **spec))
        (self.resources / "resources.yaml").write_text(text, encoding="utf-8")

    def _served(self, *others: str) -> str:
        """The index that readers read, once it is none of those."""
        def serves() -> bool:
            return (self.product.index(self.name)["phase"] == "Serving"
                    and self.product.index(self.name)["alias"] not in others)
        self.product.wait(f"an index other than {others}", serves, _SECONDS)
        return self.product.index(self.name)["alias"]

    def _drifted(self) -> dict[str, Any]:
        return next(one for one in self.product.index(self.name)["conditions"]
                    if one["type"] == "Drifted")

    def _rounds(self) -> int:
        _, text = text_of(self.product.address, "/metrics")
        return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("controller_runtime_reconcile_total{"))

    def _wait_rounds(self) -> None:
        """Returns when it has looked at everything several times again."""
        begun = self._rounds()
        self.product.wait("rounds", lambda: self._rounds() >= begun + 3, _SECONDS)

    def test_a_rollback_by_hand(self):
        first = self._served()
        self._declare(("id", "text"))
        second = self._served(first)
        index = _Index(self.name, second)
        by_hand = (("remove", second, {}), ("add", first, {}))

        index.point_alias(*by_hand)
        self.product.wait("the alias where it was", lambda: index.alias() == {second: {}},
                          _SECONDS)
        self.product.wait("no drift", lambda: self._drifted()["status"] == "False", _SECONDS)
        self.assertEqual(_ROWS, dict(engine.documents(_stack.search, self.name)))

        self._declare(("id", "text"), drift="Report")
        self._wait_rounds()
        index.point_alias(*by_hand)
        self.product.wait("report", lambda: self.product.index(self.name)["phase"] == "Stalled",
                          _SECONDS)
        table = subprocess.run(
            self.product.command("status", str(self.resources), "--state-dir", str(self.state)),
            text=True, capture_output=True, check=True).stdout
        self.assertIn(f"alias {self.name} leads to {first}, not to {second}", table)
        self._wait_rounds()
        self.assertEqual({first: {}}, index.alias())

        # The way to keep it there is to say so.
        self._declare(("id", "text"), drift="Report", reindex={"serve": first})
        self.assertEqual(first, self._served(second))
        self.assertEqual("False", self._drifted()["status"])
        self._declare(("id", "text"))
        self.assertEqual(second, self._served(first))

    def test_a_new_index_puts_the_mappings_right(self):
        first = self._served()
        _Index(self.name, first).map(dynamic="true")
        self.product.wait("drift", lambda: "dynamic is true, not strict"
                          in self._drifted()["message"], _SECONDS)
        self.assertEqual(first, self._served())
        self._declare(("id",), reindex={"revision": 1})
        second = self._served(first)
        self.product.wait("no drift", lambda: self._drifted()["status"] == "False", _SECONDS)
        self.assertEqual("strict", _Index(self.name, second).get()[
            "mappings"]["dynamic"])


if __name__ == "__main__":
    unittest.main()
