"""The chart, the kustomizations and the alerts, as far as no cluster is needed to tell. Needs
helm, kubectl and promtool. UPDATE_GOLDEN=1 brings what is made from the chart up to date.
"""

import os
import re
import tempfile
import textwrap
import unittest
from pathlib import Path

from e2e.chart import render
from e2e.chart.render import CHART, MANIFESTS, REPOSITORY, ToolError, helm_template

_ALERTS = CHART / "files" / "alerts.yaml"
_OPERATIONS = REPOSITORY / "docs" / "operations.md"


def setUpModule():
    if os.environ.get("UPDATE_GOLDEN"):
        for _ in range(2):  # the chart's own copies first
            for path, text in render.made().items():
                path.write_text(text, encoding="utf-8")


class ChartTest(unittest.TestCase):
    def test_lint(self):
        out = render.run(render.program("helm"), "lint", CHART, "--strict")
        self.assertIn("0 chart(s) failed", out)

    def test_its_version_is_the_executables(self):
        cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
        version = re.search(r"project\(searchsync VERSION (\S+)", cmake)[1]
        chart = (CHART / "Chart.yaml").read_text(encoding="utf-8")
        self.assertEqual([version, version], re.findall(r"^(?:appV|v)ersion: (\S+)$", chart,
                                                        re.MULTILINE))

    def test_wrong_values_are_refused_with_their_path(self):
        for value, message in {
                "replicas=two": "at '/replicas': got string, want integer",
                "replica=2": "additional properties 'replica' not allowed",
                "watch.namespace=a": "at '/watch': additional properties 'namespace' not allowed",
                "watch.namespaces={Team A}": "at '/watch/namespaces/0'",
                "watch.namespaceSelector=a=b,watch.namespaces={team-a}":
                    "at '/watch/namespaceSelector'",
                "logLevel=loud": "at '/logLevel': value must be one of 'debug', 'info'",
                "image.pullPolicy=Sometimes": "at '/image/pullPolicy': value must be one of",
                "image.digest=latest": "at '/image/digest'",
                "pods.volumes=x": "at '/pods': additional properties 'volumes' not allowed",
                "serviceAccount.create=false": "at '/serviceAccount/name'",
                "podLabels.app\\.kubernetes\\.io/managed-by=searchsync": "at '/podLabels/",
                "metrics.serviceMonitor.interval=often": "at '/metrics/serviceMonitor/interval'",
        }.items():
            with self.subTest(value), self.assertRaises(ToolError) as refused:
                helm_template(value)
            self.assertIn(message, str(refused.exception))

    def test_every_value_is_explained_and_has_a_schema(self):
        lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
        for before, line in zip(lines, lines[1:]):
            value = re.match(r"( *)(\w+):", line)
            if value and value[1]:
                explained = before.strip().startswith("#") or before.rstrip().endswith(":")
                sibling = re.match(r" *\w+: (\{|\[|\w|\")", before) is not None
                self.assertTrue(explained or sibling, line)
        with self.assertRaises(ToolError):
            helm_template("nothing=1")

    def test_the_pods_spec_is_one_argument(self):
        text = helm_template("pods.nodeSelector.disk=ssd", "pods.priorityClassName=high",
                             "pods.imagePullSecrets[0].name=registry",
                             "pods.schedulerName=it's")
        self.assertIn(r'''- "--pod-spec={\"imagePullSecrets\":[{\"name\":\"registry\"}],'''
                      r'''\"nodeSelector\":{\"disk\":\"ssd\"},\"priorityClassName\":\"high\",'''
                      r'''\"schedulerName\":\"it's\"}"''', text)
        self.assertNotIn("--pod-spec", helm_template())

    def test_namespaces_leave_no_right_outside_of_them(self):
        text = helm_template("watch.namespaces={team-a,team-b}", "rbac.aggregate=false",
                             "crds.install=false")
        self.assertNotIn("kind: Cluster", text)
        self.assertEqual(["searchsync-system", "team-a", "team-b"],
                         re.findall(r"kind: RoleBinding\n(?:.*\n)*?  namespace: (\S+)", text))

    def test_a_selector_gives_no_right_in_a_namespace_unless_asked_to(self):
        selector = "watch.namespaceSelector=searchsync.io/watch=true"
        self.assertIn('- "--namespace-selector=searchsync.io/watch=true"', helm_template(selector))
        for values, bound in (((selector,), ["operator", "operator-namespaces"]),
                              ((selector, "rbac.clusterWide=false"), ["operator-namespaces"]),
                              (("rbac.clusterWide=false",), ["operator"])):
            with self.subTest(values):
                self.assertEqual([f"searchsync-{name}" for name in bound], re.findall(
                    r"kind: ClusterRoleBinding\nmetadata:\n  name: (\S+)",
                    helm_template(*values)))

    def test_secrets_are_never_listed(self):
        for values in ([], ["watch.namespaces={team-a}"], ["rbac.secretNames={kafka,es}"]):
            rules = re.findall(r"resources: \[secrets\]\n(?:  resourceNames: (.*)\n)?"
                               r"  verbs: (.*)", helm_template(*values))
            names = '["kafka","es"]' if "kafka" in str(values) else ""
            self.assertEqual([(names, "[get]")], rules)

    def test_definitions_may_be_left_out_or_not_kept(self):
        self.assertEqual(2, helm_template().count("helm.sh/resource-policy: keep"))
        self.assertNotIn("resource-policy", helm_template("crds.keep=false"))
        self.assertNotIn("CustomResourceDefinition", helm_template("crds.install=false"))

    def test_names_of_another_release(self):
        text = helm_template("metrics.prometheusRule.enabled=true", "crds.install=false",
                             "metrics.prometheusRule.runbookBase=https://docs.example/",
                             release="other")
        self.assertIn("--lease-name=other-searchsync-operator", text)
        self.assertIn('{name="other-searchsync-operator"}', text)
        self.assertIn("runbook_url: https://docs.example/docs/operations.md#", text)


class ManifestsTest(unittest.TestCase):
    maxDiff = None

    def test_what_is_made_is_up_to_date(self):
        for path, text in render.made().items():
            with self.subTest(path.relative_to(REPOSITORY)):
                self.assertEqual(text, path.read_text(encoding="utf-8"))

    def test_nothing_else_is_there(self):
        for folder in (CHART / "files" / "crds", MANIFESTS / "crds", MANIFESTS / "base"):
            there = {path for path in folder.glob("*.yaml")
                     if path.name not in ("kustomization.yaml", "namespace.yaml")}
            self.assertEqual({path for path in render.made() if path.parent == folder}, there)

    def test_the_base_is_the_chart(self):
        base = render.kustomize(MANIFESTS / "base")
        self.assertEqual(render.helms_objects(),
                         [one for one in base if "kind: Namespace\n" not in one])

    def test_the_example_is_the_chart_for_two_namespaces(self):
        example = render.kustomize(MANIFESTS / "examples" / "two-namespaces")
        self.assertEqual(render.helms_objects("watch.namespaces={team-a,team-b}"),
                         [one for one in example if "kind: Namespace\n" not in one])

    def test_the_example_is_the_chart_for_labelled_namespaces(self):
        example = render.kustomize(MANIFESTS / "examples" / "labelled-namespaces")
        self.assertEqual(
            render.helms_objects("watch.namespaceSelector=searchsync.io/watch=true",
                                 "rbac.clusterWide=false"),
            [one for one in example if "kind: Namespace\n" not in one])

    def test_the_monitoring_component_can_be_added(self):
        with tempfile.TemporaryDirectory(dir=MANIFESTS) as folder:
            Path(folder, "kustomization.yaml").write_text(
                "resources: [../base]\ncomponents: [../monitoring]\n", encoding="ascii")
            kinds = "".join(render.kustomize(Path(folder)))
        for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
            self.assertIn(f"kind: {kind}\n", kinds)


class AlertsTest(unittest.TestCase):
    def test_rules(self):
        self.assertIn("SUCCESS", render.run("promtool", "check", "rules", _ALERTS))

    def test_the_charts_rules_are_those_of_the_file(self):
        text = helm_template("metrics.prometheusRule.enabled=true", "crds.install=false")
        groups = re.search(r"kind: PrometheusRule\n(?:.*\n)*?spec:\n((?:  .*\n|\n)*)", text)[1]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(textwrap.dedent(groups))
            file.flush()
            found = render.run("promtool", "check", "rules", file.name)
        self.assertEqual(re.findall(r"SUCCESS.*", found), re.findall(
            r"SUCCESS.*", render.run("promtool", "check", "rules", _ALERTS)))

    def test_each_alert_fires_when_it_should_and_only_then(self):
        self.assertIn("SUCCESS", render.run("promtool", "test", "rules",
                                            Path(__file__).parent / "chart" / "alerts.yaml"))

    def test_each_has_a_test_and_a_runbook(self):
        tests = (Path(__file__).parent / "chart" / "alerts.yaml").read_text(encoding="utf-8")
        headings = {re.sub(r"[^\w-]", "", line[4:].strip().lower().replace(" ", "-"))
                    for line in _OPERATIONS.read_text(encoding="utf-8").splitlines()
                    if line.startswith("### ")}
        rules = re.split(r"^ +- alert: ", _ALERTS.read_text(encoding="utf-8"),
                         flags=re.MULTILINE)[1:]
        self.assertGreater(len(rules), 10)
        for rule in rules:
            name = rule.splitlines()[0]
            anchor = re.search(r"runbook_url: docs/operations\.md#(\S+)", rule)[1]
            self.assertEqual(name.lower(), anchor)
            self.assertIn(anchor, headings)
            self.assertIn(f"alertname: {name}\n        exp_alerts:\n", tests, "never fires")

    def test_metrics_exist(self):
        """Those of the alerts and of the documentation's table, in the sources."""
        sources = "".join(
            path.read_text(encoding="utf-8") for folder in (
                "lib", "operator/cluster", "worker", "capture", "query", "ingest", "aggregate")
            for path in (REPOSITORY / folder).rglob("*.cc") if not path.stem.endswith("_test"))
        rules = _ALERTS.read_text(encoding="utf-8")
        metric = r"(?:searchsync|controller_runtime|workqueue|rest_client|leader_election)_\w+"
        named = set(re.findall(rf"\b{metric}", rules))
        table = set(re.findall(rf"^\| `({metric})", _OPERATIONS.read_text(encoding="utf-8"),
                               re.MULTILINE))
        self.assertGreater(len(table), 20)
        missing = {name for name in named | table
                   if f'"{re.sub("_bucket$", "", name)}"' not in sources}
        self.assertEqual(set(), missing)


if __name__ == "__main__":
    unittest.main()
