"""What a user of an API server did, and what it may do: to be the same."""

import json
import re
from pathlib import Path
from typing import Any, Iterable

Right = tuple[str, str, str]  # group, resource or resource/subresource, verb

# What any client is allowed to ask for.
_PUBLIC = re.compile(r"/(api|apis|openapi|version|healthz|readyz|livez)(/|$)")


def policy(path: Path, user: str) -> None:
    """Writes the audit policy by which all that the user asks for is kept."""
    path.write_text(json.dumps({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": [user]}, {"level": "None"}]}), encoding="utf-8")


class Audit:
    """The log that the API server writes by that policy."""

    def __init__(self, path: Path):
        self._path = path
        self._from = 0

    def forget(self) -> None:
        self._from = self._path.stat().st_size if self._path.exists() else 0

    def entries(self) -> Iterable[dict[str, Any]]:
        with self._path.open(encoding="utf-8") as file:
            file.seek(self._from)
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)

    def refused(self) -> list[str]:
        return [f"{one['verb']} {one['requestURI']}" for one in self.entries()
                if one.get("responseStatus", {}).get("code") == 403]

    def used(self) -> set[Right]:
        """Asked for and given. An object that an apply has made needed `create` besides."""
        rights = set()
        for one in self.entries():
            if "objectRef" not in one:
                assert _PUBLIC.match(one["requestURI"]), one["requestURI"]
                continue
            what = one["objectRef"]
            resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
            code = one.get("responseStatus", {}).get("code")
            if code == 403:
                continue
            rights.add((what.get("apiGroup", ""), resource, one["verb"]))
            if one["verb"] == "patch" and code == 201:
                rights.add((what.get("apiGroup", ""), resource, "create"))
        return rights


def granted(*roles: dict[str, Any]) -> set[Right]:
    return {(group, resource, verb) for role in roles for rule in role["rules"]
            for group in rule["apiGroups"] for resource in rule["resources"]
            for verb in rule["verbs"]}
