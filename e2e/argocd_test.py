"""What Argo CD is taught about the two kinds: each script on a table of objects. Needs lua5.1.
UPDATE_GOLDEN=1 brings the ConfigMap made from the scripts up to date.
"""

import os
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Any

from e2e.argocd import lua

_ROOT = Path(__file__).parents[1] / "manifests" / "argocd"
_CONFIG = _ROOT / "argocd-cm.yaml"
_ACTIONS = ("suspend", "resume", "reindex", "approve")
_HEAD = """\
# Made from the scripts beside it. To bring it up to date:
# UPDATE_GOLDEN=1 /usr/bin/python3 -m unittest e2e.argocd_test
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
"""


def _script(*path: str) -> str:
    return _ROOT.joinpath(*path).read_text(encoding="utf-8")


def _entry(name: str, text: str) -> str:
    return f"  resource.customizations.{name}: |\n" + textwrap.indent(text, "    ")


def config() -> str:
    """The ConfigMap."""
    actions = "discovery.lua: |\n" + textwrap.indent(
        _script("SearchIndex", "actions", "discovery.lua"), "  ") + "definitions:\n"
    for name in _ACTIONS:
        actions += f"  - name: {name}\n    action.lua: |\n" + textwrap.indent(
            _script("SearchIndex", "actions", f"{name}.lua"), "      ")
    return (_HEAD + _entry("health.searchsync.io_SearchIndex", _script("SearchIndex", "health.lua"))
            + _entry("health.searchsync.io_SourceBinding", _script("SourceBinding", "health.lua"))
            + _entry("actions.searchsync.io_SearchIndex", actions))


def setUpModule():
    if os.environ.get("UPDATE_GOLDEN"):
        _CONFIG.write_text(config(), encoding="utf-8")


def _object(*conditions: tuple[str, str, str], metadata: dict[str, Any] | None = None,
            observed: int = 3, **status: Any) -> dict[str, Any]:
    """conditions: type, status, reason; the message is made of them."""
    return {"metadata": {"name": "runs", "generation": 3, **(metadata or {})}, "spec": {},
            "status": {"observedGeneration": observed, "conditions": [
                {"type": kind, "status": value, "reason": reason, "message": f"{kind} {reason}"}
                for kind, value, reason in conditions], **status}}


_SERVING = (("Ready", "True", "Serving"), ("Reconciling", "False", "Settled"),
            ("Stalled", "False", "Progressing"))
_BUILDING = (("Ready", "False", "Building"), ("Reconciling", "True", "Building"),
             ("Stalled", "False", "Progressing"))
_STALLED = (("Ready", "False", "Stalled"), ("Reconciling", "False", "Settled"),
            ("Stalled", "True", "InvalidResources"))
_UNREACHABLE = tuple((kind, "Unknown", "Unreachable") for kind in
                     ("Ready", "Available", "Reconciling", "Stalled"))
_UNSEEN = "the operator has not seen it yet"


class LuaTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_script(self, path: str, obj: dict[str, Any]) -> Any:
        return lua.run(_ROOT / path, obj, self.folder)

    def check_health(self, kind: str, table: list[tuple[dict[str, Any], str, str]]) -> None:
        for obj, status, message in table:
            with self.subTest(obj=obj):
                self.assertEqual({"status": status, "message": message},
                                 self.run_script(f"{kind}/health.lua", obj))

    def test_health_of_an_index(self):
        self.check_health("SearchIndex", [
            ({"metadata": {"generation": 1}, "spec": {}}, "Progressing", _UNSEEN),
            (_object(), "Progressing", _UNSEEN),
            (_object(*_SERVING, observed=2), "Progressing", _UNSEEN),
            (_object(*_SERVING, phase="Serving"), "Healthy", "Ready Serving"),
            (_object(*_SERVING, metadata={"deletionTimestamp": "2026-01-31T12:00:00Z"}),
             "Progressing", "is being deleted"),
            (_object(*_BUILDING, phase="Building", message="70 of 100"), "Progressing",
             "70 of 100"),
            (_object(*_STALLED, phase="Stalled"), "Degraded", "Stalled InvalidResources"),
            (_object(("Ready", "False", "BindingHalted"), phase="Serving"), "Degraded",
             "Ready BindingHalted"),
            (_object(("Ready", "False", "WorkersNotReady"), phase="Serving", message=""),
             "Progressing", ""),
            (_object(("Ready", "False", "Suspended"), phase="Suspended", message="suspended"),
             "Suspended", "suspended"),
            (_object(*_BUILDING, phase="AwaitingApproval", message="runs-2 is complete"),
             "Suspended", "runs-2 is complete"),
            (_object(*_UNREACHABLE, phase="Unknown", message="kafka: no\n\"route\""), "Unknown",
             "kafka: no\n\"route\""),
        ])

    def test_health_of_a_binding(self):
        self.check_health("SourceBinding", [
            ({"metadata": {"generation": 1}, "spec": {}}, "Progressing", _UNSEEN),
            (_object(("Ready", "True", "Running"), observed=2), "Progressing", _UNSEEN),
            (_object(("Ready", "True", "Running"), ("Stalled", "False", "Progressing"),
                     state="Running"), "Healthy", "Ready Running"),
            (_object(("Ready", "False", "Waiting"), state="Waiting", message="no topic"),
             "Progressing", "no topic"),
            (_object(("Ready", "False", "Halted"), ("Stalled", "True", "Halted"), state="Halted",
                     message="too many"), "Degraded", "too many"),
            (_object(("Ready", "False", "Suspended"), state="Suspended"), "Suspended",
             "Ready Suspended"),
            (_object(("Ready", "Unknown", "Unknown"), state="Unknown", message="no kafka"),
             "Unknown", "no kafka"),
        ])

    def check_action(self, name: str, spec: dict[str, Any], expected: dict[str, Any],
                     **status: Any) -> None:
        obj = {"metadata": {"name": "runs"}, "spec": spec, "status": status}
        with self.subTest(spec):
            self.assertEqual({**obj, "spec": expected},
                             self.run_script(f"SearchIndex/actions/{name}.lua", obj))

    def test_actions(self):
        self.check_action("suspend", {"shards": 2}, {"shards": 2, "suspend": True})
        self.check_action("resume", {"suspend": True}, {"suspend": False})
        self.check_action("reindex", {}, {"reindex": {"revision": 1}})
        self.check_action("reindex", {"reindex": {"revision": 41, "approval": "Manual"}},
                          {"reindex": {"revision": 42, "approval": "Manual"}})
        self.check_action("approve", {"reindex": {"approval": "Manual", "approved": "runs-1"}},
                          {"reindex": {"approval": "Manual", "approved": "runs-2"}},
                          desired="runs-2")

    def test_there_has_to_be_something_to_approve(self):
        with self.assertRaisesRegex(lua.LuaError, "there is no index to approve"):
            self.run_script("SearchIndex/actions/approve.lua", {"metadata": {}, "spec": {}})

    def test_which_actions_are_offered(self):
        manual = {"approval": "Manual"}
        for spec, status, offered in (
                ({}, {}, {"suspend", "reindex"}),
                ({"suspend": False}, {"phase": "Serving", "desired": "a"}, {"suspend", "reindex"}),
                ({"suspend": True}, {"phase": "Suspended"}, {"resume"}),
                ({"reindex": manual}, {"phase": "AwaitingApproval", "desired": "a"},
                 {"suspend", "reindex", "approve"}),
                ({"reindex": {**manual, "approved": "a"}},
                 {"phase": "AwaitingApproval", "desired": "a"}, {"suspend", "reindex"}),
                ({"reindex": manual}, {"phase": "AwaitingApproval"}, {"suspend", "reindex"})):
            with self.subTest(spec=spec, status=status):
                found = self.run_script("SearchIndex/actions/discovery.lua",
                                        {"metadata": {}, "spec": spec, "status": status})
                self.assertEqual(set(_ACTIONS), set(found))
                self.assertEqual(offered, {name for name, one in found.items()
                                           if not one["disabled"]})

    def test_the_config_map_is_made_of_the_scripts(self):
        self.assertEqual(config(), _CONFIG.read_text(encoding="utf-8"))

    def test_nothing_is_left_out(self):
        self.assertEqual(len(_ACTIONS) + 3, len(list(_ROOT.rglob("*.lua"))))


if __name__ == "__main__":
    unittest.main()
