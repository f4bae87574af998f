"""Test runs in the databases of the screener's seven services, many of them, and their documents.

Less varied than what the example's generator makes, and made by PostgreSQL itself: ten million in
minutes. A test is run mostly by its owner; the first twenty tests hit a bug in every fifth run.
"""

import datetime
import io
from typing import Any, Iterator

from e2e.harness.screener import EXAMPLE, SERVICES
from e2e.servers import Postgres

DAYS = 60
TESTS = 1000
OWNERS = 2000
TEAMS = 50
FLAKY_TESTS = 20
_BUGS = 50_000
_BUILDS = 5000  # and as many images
_CHANGELISTS = 100_000
_MUTATIONS = 100_000
_LOGS = 1000
_PLATFORMS = ("linux-x64", "linux-arm64", "windows-x64", "macos-arm64")
_PRIMARIES = ("main", "release", "next")
_PAGE_ROWS = 10_000

MAPPINGS = {"dynamic": "strict", "properties": {
    **{name: {"type": "keyword"} for name in (
        "id", "testName", "testStatus", "testSuite", "platform", "owner", "ownerTeam",
        "personality", "bugId", "bugStatus", "bugSeverity", "projectName", "changelist", "primary",
        "imageId", "imageBuildStatus", "workspaceId", "workspaceHostname")},
    "flaky": {"type": "boolean"}, "duration": {"type": "double"}, "log": {"type": "text"},
    "mutationCoverage": {"type": "double"}, "createdAt": {"type": "date"},
    "updatedAt": {"type": "date"}}}

# Rows of one service, but for test_runs and what follows from them.
_SMALL = {
    "user": f"""
        INSERT INTO teams SELECT n, 'team-' || n FROM generate_series(0, {TEAMS - 1}) n;
        INSERT INTO personalities VALUES (0, 'developer'), (1, 'QA'), (2, 'manager');
        INSERT INTO owners SELECT n, 'user' || n || '@company.com', 'User ' || n, n % {TEAMS}, n % 3
          FROM generate_series(0, {OWNERS - 1}) n;
        CREATE UNIQUE INDEX ON owners (email)""",
    "bug": f"""
        INSERT INTO bugs SELECT 'BUG-' || n, 'Bug ' || n, ('{{OPEN,IN_PROGRESS,FIXED}}'::text[])[1 + n % 3],
            ('{{P0,P1,P2,P3,P4}}'::severity[])[1 + n % 5], n % {OWNERS}, NULL
          FROM generate_series(0, {_BUGS - 1}) n""",
    "mutation": f"""
        INSERT INTO mutations SELECT md5('m' || n)::uuid, 'negate', 'DONE', (n * 7919 % 10000) / 100.0, n % 50, 3
          FROM generate_series(0, {_MUTATIONS - 1}) n""",
    "image": f"""
        INSERT INTO builds SELECT n, ('{{SUCCESS,SUCCESS,FAILED}}'::text[])[1 + n % 3], NULL
          FROM generate_series(0, {_BUILDS - 1}) n;
        INSERT INTO images SELECT 'img-' || n, 'runner', 'v' || n, n FROM generate_series(0, {_BUILDS - 1}) n""",
    "project": f"""
        INSERT INTO projects SELECT n, 'project-' || n FROM generate_series(0, 19) n;
        INSERT INTO primaries SELECT p, b, ('{{{','.join(_PRIMARIES)}}}'::text[])[1 + b], b < 2
          FROM generate_series(0, 19) p, generate_series(0, 2) b;
        INSERT INTO changelists SELECT 'CL-' || n, n % 20, n / 20 % 3, 'Change ' || n, NULL, NULL
          FROM generate_series(0, {_CHANGELISTS - 1}) n;
        CREATE INDEX ON changelists (primary_branch_id)""",
    "workspace": """
        INSERT INTO workspaces SELECT 'ws-' || n, 'worker-node-' || n, 'READY', NULL
          FROM generate_series(0, 999) n""",
    "test": f"""
        INSERT INTO platforms SELECT n, ('{{{','.join(_PLATFORMS)}}}'::text[])[1 + n], NULL, NULL
          FROM generate_series(0, {len(_PLATFORMS) - 1}) n;
        INSERT INTO test_suites SELECT n, 'suite-' || n, 'component-' || n % 8, n % {OWNERS}
          FROM generate_series(0, 399) n""",
}
_RUNS = f"""
    SELECT setseed(%(seed)s);
    ALTER TABLE test_runs SET UNLOGGED;
    CREATE TEMP TABLE logs AS SELECT k, string_agg(('{{socket,timeout,retry,login,cache,panic,quota,flush}}'::text[])
        [1 + floor(random() * 8)::int], ' ') AS words
      FROM generate_series(0, {_LOGS - 1}) k, generate_series(1, 20) GROUP BY k;
    INSERT INTO test_runs (id, test_name, status, suite_id, platform_id, owner_id, bug_id, mutation_id, image_id,
        changelist_id, workspace_id, flaky, duration, log, created_at, updated_at)
      SELECT 'run-' || n, 'test_' || test, ('{{PASSED,PASSED,FAILED}}'::text[])[1 + floor(a * 3)::int], test %% 400,
          floor(b * {len(_PLATFORMS)})::int, CASE WHEN c < 0.5 THEN test ELSE floor(d * {OWNERS})::int END,
          CASE WHEN e < CASE WHEN test < {FLAKY_TESTS} THEN 0.2 ELSE 0.01 END
               THEN 'BUG-' || floor(d * {_BUGS})::int END,
          md5('m' || floor(f * {_MUTATIONS})::int)::uuid, 'img-' || floor(g * {_BUILDS})::int,
          'CL-' || floor(h * {_CHANGELISTS})::int, 'ws-' || floor(i * 1000)::int, a < 0.05,
          round((600 * b * c)::numeric, 3), words, at, at
        FROM (SELECT n, floor(random() * {TESTS})::int AS test, floor(random() * {_LOGS})::int AS k, random() AS a,
                random() AS b, random() AS c, random() AS d, random() AS e, random() AS f, random() AS g,
                random() AS h, random() AS i,
                date_trunc('second', now() - random() * interval '{DAYS} days') AS at
              FROM generate_series(1, %(count)s) n) drawn JOIN logs USING (k);
    CREATE INDEX ON test_runs (test_name);
    CREATE INDEX ON test_runs (owner_id);
    ANALYZE test_runs"""


def load(postgres: Postgres, count: int, seed: float) -> None:
    """Makes the seven databases. seed: from 0 to 1. At 10 million: 7 GB of disk."""
    for service in SERVICES:
        postgres.create_database(service)
        postgres.execute((EXAMPLE / "schema" / f"{service}.sql").read_text(encoding="utf-8"),
                         database=service)
        postgres.execute(_SMALL[service], database=service)
    postgres.execute(_RUNS, {"count": count, "seed": seed}, "test")
    _copy_hits(postgres)


def _copy_hits(postgres: Postgres) -> None:
    """A hit for each run that has a bug, when it ran."""
    lines = io.StringIO()
    with postgres.connect("test") as source, source.cursor() as cursor:
        cursor.copy_expert("COPY (SELECT row_number() OVER (), id, bug_id, created_at FROM test_runs "
                           "WHERE bug_id IS NOT NULL) TO STDOUT", lines)
    lines.seek(0)
    with postgres.connect("bug") as target, target.cursor() as cursor:
        cursor.copy_expert("COPY bug_hits (id, run_id, bug_id, hit_at) FROM STDIN", lines)
        cursor.execute("CREATE INDEX ON bug_hits (hit_at); CREATE INDEX ON bug_hits (run_id); "
                       "ANALYZE bug_hits")
    source.close()
    target.close()


def documents(postgres: Postgres) -> Iterator[tuple[str, dict[str, Any]]]:
    """One for each run, as the screener's resources describe them; by its id."""
    def by_key(service: str, names: str, sql: str) -> dict[Any, dict[str, Any]]:
        return {row[0]: dict(zip(names.split(), row[1:]))
                for row in postgres.execute(sql, database=service)}

    owners = by_key("user", "owner ownerTeam personality", """
        SELECT owners.id, email, teams.name, personalities.name FROM owners
          JOIN teams ON teams.id = team_id JOIN personalities ON personalities.id = personality_id""")
    bugs = by_key("bug", "bugId bugStatus bugSeverity",
                  "SELECT id, id, status, severity FROM bugs")
    bugs[None] = {}
    mutations = by_key("mutation", "mutationCoverage", "SELECT id, coverage::float8 FROM mutations")
    images = by_key("image", "imageId imageBuildStatus", """
        SELECT images.id, images.id, status FROM images JOIN builds ON builds.id = build_id""")
    changelists = by_key("project", "changelist projectName primary", """
        SELECT c.id, c.id, projects.name, primaries.name FROM changelists c
          JOIN projects ON projects.id = c.project_id
          JOIN primaries ON primaries.project_id = c.project_id AND primaries.id = primary_branch_id""")
    workspaces = by_key("workspace", "workspaceId workspaceHostname",
                        "SELECT id, id, hostname FROM workspaces")
    suites = by_key("test", "testSuite", "SELECT id, name FROM test_suites")
    platforms = by_key("test", "platform", "SELECT id, name FROM platforms")

    connection = postgres.connect("test")
    connection.autocommit = False  # for the cursor
    with connection, connection.cursor("runs") as runs:
        runs.itersize = _PAGE_ROWS
        runs.execute("""
            SELECT id, test_name, status, flaky, duration::float8, log, created_at, suite_id, platform_id,
                owner_id, bug_id, mutation_id, image_id, changelist_id, workspace_id FROM test_runs""")
        for (key, name, status, flaky, duration, log, at, suite, platform, owner, bug, mutation,
             image, changelist, workspace) in runs:
            time = as_text(at)
            yield key, {
                "id": key, "testName": name, "testStatus": status, "flaky": flaky,
                "duration": duration, "log": log, "createdAt": time, "updatedAt": time,
                **suites[suite], **platforms[platform], **owners[owner], **bugs[bug],
                **mutations[mutation], **images[image], **changelists[changelist],
                **workspaces[workspace]}
    connection.close()


def as_text(time: datetime.datetime) -> str:
    return time.astimezone(datetime.timezone.utc).isoformat()
