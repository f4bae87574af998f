"""The tables of all seven services: their keys, and how a random row of each looks.

The first row of each table is that of the example everybody quotes: the failed run
test-run-12345 of auth_login_test, owned by john@company.com.
"""

import datetime
import random
import uuid
from dataclasses import dataclass
from typing import Any, Callable

from . import values
from .keys import Key, KeyPool

SERVICES = ("bug", "mutation", "test", "image", "project", "workspace", "user")

RUN_STATES = ("PASSED", "PASSED", "PASSED", "FAILED", "FAILED", "RUNNING", "SKIPPED")
BUG_STATES = ("OPEN", "OPEN", "IN_PROGRESS", "FIXED", "CLOSED")
SEVERITIES = ("P0", "P1", "P2", "P3", "P4", None)
BUILD_STATES = ("SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "PENDING")
JOB_STATES = ("QUEUED", "RUNNING", "DONE", "LOST")
WORKSPACE_STATES = ("READY", "BUSY", "DRAINING", "GONE")
MUTATION_STATES = ("DONE", "DONE", "RUNNING", "ERROR")
LINK_KINDS = ("retry", "bisect", "duplicate", "flake-of")

_PLATFORMS = ("linux-x64", "linux-arm64", "windows-x64", "macos-arm64", "android-14", "ios-17")
_PERSONALITIES = ("developer", "QA", "manager", "release-engineer", "robot")
_BRANCHES = ("main", "release", "next")
_PROJECTS = ("backend-api", "web-app", "mobile-app", "data-platform", "build-tools")
_TEAMS = ("platform-team", "identity-team", "payments-team", "search-team", "growth-team")
_COMPONENTS = ("auth", "billing", "search", "upload", "profile", "export", "sync", "report")
_ACTIONS = ("login", "logout", "create", "delete", "refresh", "import", "resize", "merge")
_FIRST_NAMES = ("john", "amara", "wei", "sofia", "yusuf", "lena", "mateo", "priya")


class Rows:
    """What row makers draw on: the random source, the time, and the keys of all tables."""

    def __init__(self, rng: random.Random, now: datetime.datetime):
        self.rng = rng
        self.now = now
        self.pools = {name: KeyPool() for name in TABLES}

    def reference(self, table: str, *, none: float = 0.05, awaited: float = 0.01) -> Key:
        """A key to refer to: mostly of a row that exists, the older the likelier; sometimes all
        None; sometimes of a row that comes later, or that is gone."""
        pool, draw = self.pools[table], self.rng.random()
        if draw < none or not len(pool):
            return (None,) * len(TABLES[table].key)
        if draw < none + awaited:
            return self.awaited(table)
        if draw < none + 1.5 * awaited and pool.gone:
            return self.rng.choice(pool.gone)
        return pool.choose(self.rng, skew=1.0 if table == "test_runs" else 2.5)

    def awaited(self, table: str) -> Key:
        """A key of a row that does not exist yet, and is remembered to come."""
        pool = self.pools[table]
        if pool.awaited and self.rng.random() < 0.5:
            return self.rng.choice(pool.awaited)
        key = TABLES[table].new_key(self)
        pool.awaited.append(key)
        return key

    def make(self, table: str, key: Key, **fixed: Any) -> dict[str, Any]:
        """A whole row."""
        kind = TABLES[table]
        return {**dict(zip(kind.key, key)), **kind.columns(self, key), **fixed}

    def text(self, usual: str) -> str:
        return values.text(self.rng, usual)

    def time(self, days: float = 60) -> datetime.datetime:
        return values.time(self.rng, self.now, days)


@dataclass(frozen=True)
class Table:
    service: str
    key: tuple[str, ...]
    new_key: Callable[[Rows], Key]                       # one that was never used
    columns: Callable[[Rows, Key], dict[str, Any]]       # all but the key's
    count: Callable[[int], int]                          # rows beside a number of runs


def _number(table: str) -> Callable[[Rows], Key]:
    return lambda rows: (rows.pools[table].next_number(),)


def _name(table: str, form: Callable[[int], str]) -> Callable[[Rows], Key]:
    return lambda rows: (form(rows.pools[table].next_number()),)


def _pick(names: tuple[str, ...], number: int) -> str:
    """The names in turn, numbered from the second round on."""
    turn, place = divmod(number - 1, len(names))
    return names[place] + (f"-{turn + 1}" if turn else "")


def _platform(rows: Rows, key: Key) -> dict[str, Any]:
    name = _pick(_PLATFORMS, key[0])
    return {"name": name, "os": name.split("-")[0], "arch": rows.rng.choice(("x64", "arm64", None))}


def _suite(rows: Rows, key: Key) -> dict[str, Any]:
    component = _pick(_COMPONENTS, key[0])
    return {"name": f"{component}-integration-suite", "component": component,
            "owner_id": rows.reference("owners")[0]}


def _run(rows: Rows, key: Key) -> dict[str, Any]:
    rng = rows.rng
    created = rows.time()
    # The skewed choice makes auth_login_test the most frequent of 64.
    test = int(64 * rng.random() ** 2)
    return {
        "test_name": f"{_COMPONENTS[test // 8]}_{_ACTIONS[test % 8]}_test",
        "status": rng.choice(RUN_STATES),
        "suite_id": rows.reference("test_suites")[0],
        "platform_id": rows.reference("platforms", none=0.01)[0],
        "owner_id": rows.reference("owners")[0],
        "bug_id": rows.reference("bugs", none=0.6)[0],
        "mutation_id": rows.reference("mutations", none=0.3)[0],
        "image_id": rows.reference("images")[0],
        "changelist_id": rows.reference("changelists")[0],
        "workspace_id": rows.reference("workspaces")[0],
        "attempt": rng.randrange(1, 4),
        "flaky": rng.choice((True, False, None)),
        "duration": None if rng.random() < 0.1 else round(rng.expovariate(1 / 90), 3),
        "cost": values.number(rng),
        "score": values.real(rng),
        "labels": values.labels(rng),
        "parameters": values.document(rng),
        "environment": values.document(rng),
        "log": values.long_text(rng) if rng.random() < 0.05 else rows.text(values.words(rng, 12)),
        "scheduled_on": None if rng.random() < 0.2 else created.date(),
        "retain_until": rng.choice((None, "infinity", created + datetime.timedelta(days=365))),
        "created_at": created,
        "updated_at": created + datetime.timedelta(seconds=rng.randrange(7200)),
    }


def _related(rows: Rows, key: Key) -> dict[str, Any]:
    return {"note": rows.text(values.words(rows.rng, 3))}


def _owner(rows: Rows, key: Key) -> dict[str, Any]:
    first = _FIRST_NAMES[(key[0] - 1) % len(_FIRST_NAMES)]
    number = "" if key[0] == 1 else f".{key[0]}"
    return {"email": f"{first}{number}@company.com", "full_name": rows.text(first.capitalize()),
            "team_id": rows.reference("teams")[0],
            "personality_id": rows.reference("personalities")[0]}


def _bug(rows: Rows, key: Key) -> dict[str, Any]:
    rng = rows.rng
    return {"title": rows.text(values.words(rng, 4)), "status": rng.choice(BUG_STATES),
            "severity": rng.choice(SEVERITIES), "assignee_id": rows.reference("owners")[0],
            "description": values.long_text(rng) if rng.random() < 0.05 else values.words(rng, 8)}


def _hit(rows: Rows, key: Key) -> dict[str, Any]:
    # Runs of few moments: several hits of one run often happened at the same one.
    hit_at = rows.time().replace(second=0, microsecond=rows.rng.choice((0, 500_000)))
    return {"run_id": rows.reference("test_runs", none=0.02)[0],
            "bug_id": rows.reference("bugs")[0], "hit_at": hit_at,
            "confidence": values.real(rows.rng), "message": rows.text(values.words(rows.rng, 5))}


def _mutation(rows: Rows, key: Key) -> dict[str, Any]:
    rng = rows.rng
    killed, survived = rng.randrange(200), rng.randrange(1, 50)
    coverage = None if rng.random() < 0.1 else f"{100 * killed / (killed + survived):.4f}"
    return {"mutator": rng.choice(("negate", "return-null", "drop-call", "swap")),
            "state": rng.choice(MUTATION_STATES), "coverage": coverage,
            "killed": killed, "survived": survived}


def _image(rows: Rows, key: Key) -> dict[str, Any]:
    return {"repository": f"registry/{rows.rng.choice(_COMPONENTS)}",
            "tag": rows.text(f"v{rows.rng.randrange(40)}"), "build_id": rows.reference("builds")[0]}


def _build(rows: Rows, key: Key) -> dict[str, Any]:
    seconds = rows.rng.randrange(90_000)
    took = None if seconds % 10 == 0 else f"{seconds // 3600} hours {seconds % 3600} seconds"
    return {"status": rows.rng.choice(BUILD_STATES), "took": took}


def _changelist(rows: Rows, key: Key) -> dict[str, Any]:
    project, primary = rows.reference("primaries")
    return {"project_id": project, "primary_branch_id": primary,
            "title": rows.text(values.words(rows.rng, 6)),
            "commit_hash": rows.rng.randbytes(20), "submitted_at": rows.time().replace(tzinfo=None)}


def _primary(rows: Rows, key: Key) -> dict[str, Any]:
    return {"name": _pick(_BRANCHES, key[1]), "protected": rows.rng.choice((True, False, None))}


def _primary_key(rows: Rows) -> Key:
    """Three branches a project, in turn; more than the projects that exist is fine."""
    number = rows.pools["primaries"].next_number() - 1
    return number // 3 + 1, number % 3 + 1


def _related_key(rows: Rows) -> Key:
    """Two different runs and a kind. Not necessarily new: the caller looks."""
    pool, rng = rows.pools["test_runs"], rows.rng
    one, other = pool.choose(rng)[0], pool.choose(rng)[0]
    if rng.random() < 0.03 or one == other:
        other = rows.awaited("test_runs")[0]
    return one, other, rng.choice(LINK_KINDS)


def _job(rows: Rows, key: Key) -> dict[str, Any]:
    return {"name": rows.text(f"job-{key[0]}"), "state": rows.rng.choice(JOB_STATES),
            "started_at": rows.rng.choice((None, rows.time(2), "-infinity"))}


def _workspace(rows: Rows, key: Key) -> dict[str, Any]:
    return {"hostname": f"worker-node-{rows.rng.randrange(1, 40):02}",
            "status": rows.rng.choice(WORKSPACE_STATES),
            "current_job_id": rows.reference("jobs", none=0.2)[0]}


# In an order in which what is referred to comes first.
TABLES: dict[str, Table] = {
    "platforms": Table("test", ("id",), _number("platforms"), _platform, lambda n: 6),
    "teams": Table("user", ("id",), _number("teams"),
                   lambda rows, key: {"name": _pick(_TEAMS, key[0])}, lambda n: 5 + n // 1000),
    "personalities": Table("user", ("id",), _number("personalities"),
                           lambda rows, key: {"name": _pick(_PERSONALITIES, key[0])}, lambda n: 5),
    "owners": Table("user", ("id",), _number("owners"), _owner, lambda n: 20 + n // 100),
    "test_suites": Table("test", ("id",), _number("test_suites"), _suite, lambda n: 8 + n // 200),
    "bugs": Table("bug", ("id",), _name("bugs", lambda n: f"BUG-{6788 + n}"), _bug,
                  lambda n: 20 + n // 20),
    "builds": Table("image", ("id",), _number("builds"), _build, lambda n: 10 + n // 100),
    "images": Table("image", ("id",), _name("images", lambda n: f"img-{0xabc122 + n:x}"), _image,
                    lambda n: 10 + n // 50),
    "projects": Table("project", ("id",), _number("projects"),
                      lambda rows, key: {"name": _pick(_PROJECTS, key[0])},
                      lambda n: 5 + n // 2000),
    "primaries": Table("project", ("project_id", "id"), _primary_key, _primary,
                       lambda n: 3 * (5 + n // 2000)),
    "changelists": Table("project", ("id",), _name("changelists", lambda n: f"CL-{98764 + n}"),
                         _changelist, lambda n: 20 + n // 10),
    "jobs": Table("workspace", ("id",), _number("jobs"), _job, lambda n: 10 + n // 400),
    "workspaces": Table("workspace", ("id",), _name("workspaces", lambda n: f"ws-xyz{788 + n}"),
                        _workspace, lambda n: 10 + n // 100),
    "mutations": Table("mutation", ("id",),
                       lambda rows: (str(uuid.UUID(int=rows.rng.getrandbits(128), version=4)),),
                       _mutation, lambda n: 10 + n // 5),
    "test_runs": Table("test", ("id",), _name("test_runs", lambda n: f"test-run-{12344 + n}"), _run,
                       lambda n: n),
    "bug_hits": Table("bug", ("id",), _number("bug_hits"), _hit, lambda n: 2 * n // 5),
    "related_runs": Table("test", ("run_a", "run_b", "kind"), _related_key, _related,
                          lambda n: n // 10),
}
