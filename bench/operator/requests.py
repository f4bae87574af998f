"""What a user asks of an API server, by its audit log."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def policy(path: Path, *users: str) -> None:
    """Writes the audit policy by which all that these ask for is kept, and nothing else."""
    path.write_text(json.dumps({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": users}, {"level": "None"}]}), encoding="utf-8")


def count(log: Path, user: str, since: float) -> Counter[str]:
    """Of that user since then, by what they ask for: "patch searchindices/status"."""
    asked = {}
    begun = _text(since)
    with log.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                continue
            one = json.loads(line)
            if one["user"]["username"] == user and one["requestReceivedTimestamp"] >= begun:
                asked[one["auditID"]] = _what(one)
    return Counter(asked.values())


def _what(one: dict[str, Any]) -> str:
    reference = one.get("objectRef")
    if reference is None:
        return f"{one['verb']} {one['requestURI'].split('?')[0]}"
    parts = filter(None, (reference["resource"], reference.get("subresource")))
    return f"{one['verb']} {'/'.join(parts)}"


def _text(seconds: float) -> str:
    """As the log writes times."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='microseconds')[:-6]}Z"
