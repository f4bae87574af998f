"""Folders of resources, made ready for the servers of one run."""

from pathlib import Path
from typing import Mapping

from e2e.servers import ServersError


def render(source: Path, target: Path, replacements: Mapping[str, str]) -> None:
    """Copies the YAML files of `source` into `target`, with each text replaced wherever it stands.

    Errors: a text stands nowhere; so that a change of the example is not missed.
    """
    target.mkdir(parents=True, exist_ok=True)
    missing = set(replacements)
    for path in sorted(source.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        for old, new in replacements.items():
            if old in text:
                missing.discard(old)
                text = text.replace(old, new)
        (target / path.name).write_text(text, encoding="utf-8")
    if missing:
        raise ServersError(f"{source} does not say {sorted(missing)}: nothing to replace")


def write_secret(folder: Path, name: str, entries: Mapping[str, str]) -> None:
    """The secret `name` for resources in `folder`, readable for its owner only."""
    place = folder / "secrets" / name
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    for key, value in entries.items():
        path = place / key
        path.write_text(value, encoding="utf-8")
        path.chmod(0o600)
