"""The kinds of change, each a function of the generator, with how often it happens.

Together they are what makes keeping a joined document right difficult: rows that arrive late,
references that move, keys that come back, transactions that vanish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from . import values
from .keys import Key, take
from .tables import (BUG_STATES, BUILD_STATES, JOB_STATES, LINK_KINDS, RUN_STATES, TABLES,
                     WORKSPACE_STATES)

if TYPE_CHECKING:
    from .generator import Generator

# The columns that refer to other rows, of one column each.
_REFERENCES = {
    "test_runs": {"suite_id": "test_suites", "platform_id": "platforms", "owner_id": "owners",
                  "bug_id": "bugs", "mutation_id": "mutations", "image_id": "images",
                  "changelist_id": "changelists", "workspace_id": "workspaces"},
    "test_suites": {"owner_id": "owners"},
    "owners": {"team_id": "teams", "personality_id": "personalities"},
    "bugs": {"assignee_id": "owners"},
    "bug_hits": {"run_id": "test_runs", "bug_id": "bugs"},
    "images": {"build_id": "builds"},
    "changelists": {"project_id": "projects"},
    "workspaces": {"current_job_id": "jobs"},
}
# Tables whose rows come and go; the others only gain rows that were awaited.
_LIVELY = ("test_runs", "test_runs", "bug_hits", "bug_hits", "bug_hits", "related_runs",
           "related_runs", "bugs", "owners", "mutations", "images", "builds", "changelists",
           "workspaces", "jobs")
_AT_LEAST = 5  # rows that a table keeps


class RolledBack(Exception):
    """Raised inside a transaction that is meant to leave nothing behind."""


def finish_run(g: Generator) -> None:
    """Changes a run and leaves its log, large or small, alone."""
    g.update("test_runs", _any(g, "test_runs"), status=g.rng.choice(RUN_STATES),
             duration=round(g.rng.expovariate(1 / 90), 3), cost=values.number(g.rng),
             score=values.real(g.rng), updated_at=g.rows.time(1))


def describe_run(g: Generator) -> None:
    """Changes columns of all types."""
    g.update("test_runs", _any(g, "test_runs"), labels=values.labels(g.rng),
             parameters=values.document(g.rng), environment=values.document(g.rng),
             test_name=g.rows.text("auth_login_test"), flaky=g.rng.choice((True, False, None)),
             retain_until=g.rng.choice((None, "infinity", "-infinity", g.rows.time(3))))


def rewrite_log(g: Generator) -> None:
    log = g.rng.choice((values.long_text(g.rng), "short", None))
    g.update("test_runs", _any(g, "test_runs"), log=log)


def move_reference(g: Generator) -> None:
    """A row refers to another row than before, of another service as a rule."""
    table = g.rng.choice(list(_REFERENCES))
    column = g.rng.choice(list(_REFERENCES[table]))
    g.update(table, _any(g, table), **{column: g.rows.reference(_REFERENCES[table][column])[0]})


def move_changelist(g: Generator) -> None:
    """A reference of two columns; either may be null, and they need not fit together."""
    project, primary = g.rows.reference("primaries", none=0.1)
    if g.rng.random() < 0.1:
        primary = None
    g.update("changelists", _any(g, "changelists"), project_id=project, primary_branch_id=primary)


def move_hit_twice(g: Generator) -> None:
    """From one parent to a second and at once to a third, or back; within milliseconds."""
    key = _any(g, "bug_hits")
    first = g.rows.reference("test_runs", none=0)[0]
    second = g.rows.reference("test_runs", none=0)[0]
    g.update("bug_hits", key, run_id=first)
    g.update("bug_hits", key, run_id=second)
    if g.rng.random() < 0.3:
        g.update("bug_hits", key, run_id=first)


def change_bug(g: Generator) -> None:
    """Leaves its description, large or small, alone."""
    g.update("bugs", _any(g, "bugs"), status=g.rng.choice(BUG_STATES), title=g.rows.text("flaky"))


def describe_bug(g: Generator) -> None:
    g.update("bugs", _any(g, "bugs"), description=values.long_text(g.rng))


def change_hit(g: Generator) -> None:
    hit_at = g.rows.time().replace(second=0, microsecond=0)
    g.update("bug_hits", _any(g, "bug_hits"), hit_at=hit_at,
             confidence=values.real(g.rng), message=g.rows.text("seen again"))


def change_lookup(g: Generator) -> None:
    """Of the tables that few runs share a row of."""
    _change(g, g.rng.choice(("owners", "mutations", "images", "builds", "changelists", "workspaces",
                             "jobs")))


def rename_shared(g: Generator) -> None:
    """Of the tables that thousands of runs share a row of."""
    _change(g, g.rng.choice(("teams", "teams", "platforms", "personalities", "projects",
                             "primaries", "test_suites")))


def refer_to_later(g: Generator) -> None:
    """A new run whose owner, bug and image are inserted by some later change."""
    g.insert("test_runs", g.new_key("test_runs"), owner_id=g.rows.awaited("owners")[0],
             bug_id=g.rows.awaited("bugs")[0], image_id=g.rows.awaited("images")[0])


def arrive_late(g: Generator) -> None:
    """Inserts a row that others refer to already."""
    tables = [name for name, pool in g.pools.items() if pool.awaited]
    if tables:
        table = g.rng.choice(tables)
        _insert_if_new(g, table, take(g.rng, g.pools[table].awaited))


def insert_row(g: Generator) -> None:
    table = g.rng.choice(_LIVELY)
    g.insert(table, g.new_key(table))


def delete_row(g: Generator) -> None:
    table = g.rng.choice(_LIVELY)
    if len(g.pools[table]) > _AT_LEAST:
        g.delete(table, _any(g, table))


def insert_again(g: Generator) -> None:
    """A row with the key of one that was deleted some time ago."""
    table = g.rng.choice(_LIVELY)
    key = take(g.rng, g.pools[table].gone)
    if key is not None:
        _insert_if_new(g, table, key)


def replace_row(g: Generator) -> None:
    """Deletes a row and inserts another of its key: in one transaction, or in two at once."""
    table = g.rng.choice(_LIVELY)
    key = _any(g, table)
    row = g.rows.make(table, key)
    service = TABLES[table].service
    if g.rng.random() < 0.5:
        with g.transaction(service) as transaction:
            transaction.delete(table, key)
            transaction.insert(table, row)
    else:
        with g.transaction(service) as transaction:
            transaction.delete(table, key)
        with g.transaction(service) as transaction:
            transaction.insert(table, row)


def change_key(g: Generator) -> None:
    """An UPDATE that gives a row another key; everything else of the row stays."""
    table = g.rng.choice(("test_runs", "test_runs", "bugs", "owners", "bug_hits", "related_runs",
                          "images"))
    old = _any(g, table)
    if table == "related_runs":
        new = (old[0], old[1], g.rng.choice(LINK_KINDS))
    else:
        new = take(g.rng, g.pools[table].awaited) or g.new_key(table)
    if new in g.pools[table]:
        return
    g.update(table, old, **dict(zip(TABLES[table].key, new)))
    g.pools[table].remove(old)
    g.pools[table].add(new)


def change_many_rows(g: Generator) -> None:
    """One transaction over many runs, one of them changed several times."""
    keys = {_any(g, "test_runs") for _ in range(g.rng.randrange(2, 30))}
    with g.transaction("test") as transaction:
        for key in sorted(keys):
            transaction.update("test_runs", key, status=g.rng.choice(RUN_STATES))
        for attempt in range(3):
            transaction.update("test_runs", key, attempt=attempt, updated_at=g.rows.time(1))


def insert_many_rows(g: Generator) -> None:
    """One transaction: a run with its retries, and a row that it deletes again."""
    keys = [g.new_key("test_runs") for _ in range(4)]
    passing = g.new_key("test_runs")
    with g.transaction("test") as transaction:
        for key in (passing, *keys):
            transaction.insert("test_runs", g.rows.make("test_runs", key))
        for key in keys[1:]:
            link = (keys[0][0], key[0], "retry")
            transaction.insert("related_runs", g.rows.make("related_runs", link))
        transaction.delete("test_runs", passing)
    for key in keys:
        g.pools["test_runs"].add(key)
    for key in keys[1:]:
        g.pools["related_runs"].add((keys[0][0], key[0], "retry"))


def roll_back(g: Generator) -> None:
    """A transaction, or a part of one behind a savepoint, that never happened."""
    kept, undone = _any(g, "bugs"), _any(g, "bugs")
    whole = g.rng.random() < 0.5
    with g.transaction("bug") as transaction:
        transaction.update("bugs", kept, title="kept, or rolled back as a whole")
        transaction.execute("SAVEPOINT part")
        transaction.update("bugs", undone, title="never seen", status="NEVER")
        transaction.delete("bug_hits", _any(g, "bug_hits"))
        transaction.execute("ROLLBACK TO SAVEPOINT part")
        if whole:
            raise RolledBack


def truncate_jobs(g: Generator) -> None:
    """Empties a table; a part of its rows comes back in the same transaction or later."""
    pool = g.pools["jobs"]
    keys = pool.keys()
    again = keys[:_AT_LEAST] + [key for key in keys[_AT_LEAST:] if g.rng.random() < 0.5]
    rows = [g.rows.make("jobs", key) for key in again]
    with g.transaction("workspace") as transaction:
        transaction.execute("TRUNCATE jobs")
        for row in rows:
            transaction.insert("jobs", row)
    pool.clear()
    for key in again:
        pool.add(key)


_WEIGHED: tuple[tuple[Callable[[Any], None], float], ...] = (
    (finish_run, 18), (describe_run, 6), (rewrite_log, 4), (move_reference, 12),
    (move_changelist, 2), (move_hit_twice, 8), (change_bug, 6), (describe_bug, 1),
    (change_hit, 5), (change_lookup, 6),
    (rename_shared, 0.7), (refer_to_later, 4), (arrive_late, 7), (insert_row, 8), (delete_row, 7),
    (insert_again, 3), (replace_row, 2), (change_key, 3), (change_many_rows, 1.5),
    (insert_many_rows, 1), (roll_back, 1), (truncate_jobs, 0.1),
)
KINDS = [kind for kind, _ in _WEIGHED]
WEIGHTS = [weight for _, weight in _WEIGHED]


def _any(g: Generator, table: str) -> Key:
    return g.pools[table].choose(g.rng)


def _insert_if_new(g: Generator, table: str, key: Key) -> None:
    if key not in g.pools[table]:
        g.insert(table, key)


def _change(g: Generator, table: str) -> None:
    """Sets the columns of a row that show in documents."""
    rng, text = g.rng, g.rows.text
    columns = {
        "owners": lambda: {"email": text(f"renamed.{rng.randrange(10**6)}@company.com")},
        "mutations": lambda: {"coverage": f"{rng.randrange(1_000_000) / 10_000:.4f}",
                              "killed": rng.randrange(200)},
        "images": lambda: {"tag": text(f"v{rng.randrange(100)}")},
        "builds": lambda: {"status": rng.choice(BUILD_STATES),
                           "took": f"{rng.randrange(10**6) / 1000} seconds"},
        "changelists": lambda: {"title": text("reworded"), "commit_hash": rng.randbytes(20)},
        "workspaces": lambda: {"hostname": text("moved"),
                               "status": rng.choice(WORKSPACE_STATES)},
        "jobs": lambda: {"state": rng.choice(JOB_STATES), "name": text("renamed")},
        "teams": lambda: {"name": text(f"team-{rng.randrange(1000)}")},
        "platforms": lambda: {"name": text(f"linux-x{rng.randrange(64)}")},
        "personalities": lambda: {"name": text("developer")},
        "projects": lambda: {"name": text(f"project-{rng.randrange(1000)}")},
        "primaries": lambda: {"name": text("main"), "protected": rng.choice((True, False, None))},
        "test_suites": lambda: {"name": text("suite"), "owner_id": g.rows.reference("owners")[0]},
    }[table]
    g.update(table, _any(g, table), **columns())
