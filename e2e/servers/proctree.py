"""What /proc says about a process and everything it has started.

A process group is not enough: each PostgreSQL backend makes a session of its own. So the tree is
the members of the group and all descendants.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    """A process, told apart from a later one with the same pid by the time it started."""

    pid: int
    state: str
    parent: int
    group: int
    cpu_ticks: int
    started: int


def read(pid: int) -> Stat | None:
    """The process, or None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2:].split()
    ticks = sum(int(field) for field in fields[11:15])  # own and waited-for children's
    return Stat(pid, fields[0], int(fields[1]), int(fields[2]), ticks, int(fields[19]))


def tree(root: Stat) -> list[Stat]:
    """The root first, if it lives, then the others of its group and its descendants.

    Zombies are left out: they run no more. root: read when it was started, and a group leader.
    A later process with its pid is a stranger; then there is no tree, because the kernel gives no
    pid again that still names a group.
    """
    now = read(root.pid)
    if now is not None and now.started != root.started:
        return []
    everyone = [read(int(name)) for name in os.listdir("/proc") if name.isdigit()]
    alive = [stat for stat in everyone if stat is not None and stat.state not in "ZX"]
    children: dict[int, list[Stat]] = {}
    for stat in alive:
        children.setdefault(stat.parent, []).append(stat)
    found = {stat.pid: stat for stat in alive if root.pid in (stat.pid, stat.group)}
    pending = list(found)
    while pending:
        for child in children.get(pending.pop(), []):
            if child.pid not in found:
                found[child.pid] = child
                pending.append(child.pid)
    return sorted(found.values(), key=lambda stat: (stat.pid != root.pid, stat.pid))


def send(stat: Stat, number: signal.Signals) -> None:
    """Signals that very process; nothing happens if it is gone."""
    now = read(stat.pid)
    if now is None or now.started != stat.started:
        return
    try:
        os.kill(stat.pid, number)
    except ProcessLookupError:
        pass


def gone(stat: Stat) -> bool:
    """Whether it runs no more (a zombie does not run)."""
    now = read(stat.pid)
    return now is None or now.started != stat.started or now.state in "ZX"


def stopped(stat: Stat) -> bool:
    """Whether it is stopped, or runs no more."""
    now = read(stat.pid)
    return gone(stat) or (now is not None and now.state == "T")


def cpu_seconds(members: list[Stat]) -> float:
    """User and system time of the members, and of their children that were waited for."""
    return sum(stat.cpu_ticks for stat in members) / _TICKS


def rss_bytes(members: list[Stat]) -> int:
    """Resident memory of the members: private pages summed, shared and mapped ones counted once.

    Once means: as many as the one process has that has the most. A plain sum would count the
    buffers that PostgreSQL's backends share once for each of them.
    """
    private, mapped, shared = 0, 0, 0
    for stat in members:
        memory = _memory(stat.pid)
        private += memory.get("RssAnon", 0)
        mapped = max(mapped, memory.get("RssFile", 0))
        shared = max(shared, memory.get("RssShmem", 0))
    return private + mapped + shared


def _memory(pid: int) -> dict[str, int]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if line.startswith("Rss"))
    return {key: int(value.split()[0]) * 1024 for key, value in pairs}
