"""What the chart and the kustomizations give, and the manifests that are made from the chart."""

import re
import subprocess
import tempfile
from pathlib import Path

from e2e.servers import artefacts, cache
from e2e.servers.group import to_stderr

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "searchsync"
MANIFESTS = REPOSITORY / "manifests"
CRDS = REPOSITORY / "crds"
RELEASE = "searchsync"
NAMESPACE = "searchsync-system"

# What only Helm needs.
_HELMS_LINES = re.compile(
    r"^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by): (searchsync-|Helm).*\n", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: searchsync/templates/(\S+)\n", re.MULTILINE)
_HEAD = ("# Made from charts/searchsync. To bring it up to date:\n"
         "# UPDATE_GOLDEN=1 /usr/bin/python3 -m unittest e2e.chart_test\n")
_ALL_MONITORING = tuple(f"metrics.{kind}.enabled=true"
                        for kind in ("serviceMonitor", "podMonitor", "prometheusRule"))


class ToolError(Exception):
    """The tool's message: it did not take what it was given."""


def program(name: str) -> str:
    return str(cache.get(artefacts.KUBERNETES, to_stderr) / name)


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{command[0]} {command[1]}: {done.stdout}{done.stderr}")
    return done.stdout


def sets(*values: str) -> list[str]:
    return [f"--set={value}" for value in values]


def helm_template(*values: str, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
    """values: as "replicas=1"."""
    return run(program("helm"), "template", release, CHART, f"--namespace={namespace}",
               *sets(*values))


def kustomize(folder: Path) -> list[str]:
    """Its objects, as text, in order of text."""
    return _objects(run(program("kubectl"), "kustomize", folder))


def helms_objects(*values: str) -> list[str]:
    """As kustomize() would give them, without what only Helm needs."""
    with tempfile.TemporaryDirectory() as folder:
        text = _HELMS_LINES.sub("", helm_template("crds.keep=false", *values))
        Path(folder, "all.yaml").write_text(text, encoding="utf-8")
        Path(folder, "kustomization.yaml").write_text("resources: [all.yaml]\n", encoding="ascii")
        return kustomize(Path(folder))


def _objects(text: str) -> list[str]:
    return sorted(one.strip() for one in re.split(r"^---\n", text, flags=re.MULTILINE)
                  if one.strip())


def _by_template(text: str, only: str = "") -> dict[str, str]:
    """By name of the template: its objects, those that have `only` in them."""
    files: dict[str, list[str]] = {}
    for part in re.split(r"^---\n", _HELMS_LINES.sub("", text), flags=re.MULTILINE):
        source = _SOURCE.search(part)
        if source and only in part:
            body = re.sub(r"\n\s*\n", "\n", _SOURCE.sub("", part)).strip() + "\n"
            files.setdefault(source[1], []).append(body)
    return {name: _HEAD + "---\n".join(parts) for name, parts in files.items()}


def made() -> dict[Path, str]:
    """Every file that is made from another one of the repository, with what should be in it."""
    files = {}
    for crd in sorted(CRDS.glob("*.yaml")):
        for folder in (CHART / "files" / "crds", MANIFESTS / "crds"):
            files[folder / crd.name] = crd.read_text(encoding="utf-8")
    for name, text in _by_template(helm_template("crds.install=false")).items():
        files[MANIFESTS / "base" / name] = text
    monitoring = _by_template(helm_template("crds.install=false", *_ALL_MONITORING))
    files[MANIFESTS / "monitoring" / "monitoring.yaml"] = monitoring["monitoring.yaml"]
    watched = _by_template(helm_template("crds.install=false", "watch.namespaces={watched}"))
    files[MANIFESTS / "watched-namespace" / "rbac.yaml"] = watched["rbac.yaml"].replace(
        "  namespace: watched\n", "")
    selector = helm_template("crds.install=false", "watch.namespaceSelector=a=b")
    files[MANIFESTS / "namespace-selector" / "rbac.yaml"] = _by_template(
        selector, "-namespaces\n")["rbac.yaml"]
    return files
