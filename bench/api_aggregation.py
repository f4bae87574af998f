"""The screener's query without an index: each service is asked, and the answers joined in memory.

Services are their databases here, asked directly: what HTTP and JSON between services cost comes on
top.
"""

import datetime
from typing import Any

from e2e.harness.screener import SERVICES
from e2e.servers import Postgres

_PAGE = 50
_RUN = ("id", "created_at", "changelist_id", "bug_id", "image_id", "mutation_id", "workspace_id",
        "suite_id")
_RUNS = f"""SELECT {', '.join(f'r.{column}' for column in _RUN)}
    FROM test_runs r JOIN platforms p ON p.id = platform_id
    WHERE test_name = %s AND p.name = %s AND created_at >= %s"""
_CHANGELISTS = """SELECT c.id FROM changelists c JOIN primaries p
    ON p.project_id = c.project_id AND p.id = primary_branch_id WHERE p.name = %s"""
# What else is shown of a page, by service: of the keys in that column of its runs.
_SHOWN = (
    ("project", "changelist_id", """SELECT c.id, name FROM changelists c
        JOIN projects ON projects.id = project_id WHERE c.id = ANY(%s)"""),
    ("bug", "bug_id", "SELECT id, status, severity FROM bugs WHERE id = ANY(%s)"),
    ("image", "image_id", """SELECT images.id, status FROM images
        JOIN builds ON builds.id = build_id WHERE images.id = ANY(%s)"""),
    ("mutation", "mutation_id", "SELECT id, coverage FROM mutations WHERE id = ANY(%s::uuid[])"),
    ("workspace", "workspace_id", "SELECT id, hostname FROM workspaces WHERE id = ANY(%s)"),
    ("test", "suite_id", "SELECT id, name FROM test_suites WHERE id = ANY(%s)"),
)


class ApiAggregation:
    """Keeps a connection to each service. For one thread.

    Both ways find the newest runs of a test, on a platform, by an owner, on changelists of a primary,
    that hit a bug since a time: a page of them, each with what the other services know of it.
    """

    def __init__(self, postgres: Postgres):
        self._services = {service: postgres.connect(service) for service in SERVICES}

    def close(self) -> None:
        for connection in self._services.values():
            connection.close()

    def joined(self, test: str, owner: str, platform: str, primary: str,
               since: datetime.datetime) -> list[str]:
        """As it is done at first: each service says what it has of its own condition."""
        hits = self._keys("bug", "SELECT run_id FROM bug_hits WHERE hit_at >= %s", since)
        runs = self._ask("test", _RUNS, test, platform, since)
        owned = self._keys("test", "SELECT id FROM test_runs WHERE owner_id = ANY(%s)",
                           self._owners(owner))
        changelists = self._keys("project", _CHANGELISTS, primary)
        return self._page(owner, [run for run in runs if run[0] in hits and run[0] in owned
                                  and run[2] in changelists])

    def narrowed(self, test: str, owner: str, platform: str, primary: str,
                 since: datetime.datetime) -> list[str]:
        """As well as it can be done: the most selective first, the others asked only for what is
        left."""
        runs = self._ask("test", f"{_RUNS} AND owner_id = ANY(%s)", test, platform, since,
                         self._owners(owner))
        hits = self._keys("bug", "SELECT run_id FROM bug_hits WHERE run_id = ANY(%s) AND hit_at >= %s",
                          [run[0] for run in runs], since)
        runs = [run for run in runs if run[0] in hits]
        changelists = self._keys("project", f"{_CHANGELISTS} AND c.id = ANY(%s)", primary,
                                 [run[2] for run in runs])
        return self._page(owner, [run for run in runs if run[2] in changelists])

    def _page(self, owner: str, runs: list[tuple]) -> list[str]:
        """The ids of the newest, once all is known of them that a document has."""
        page = sorted(runs, key=lambda run: (-run[1].timestamp(), run[0]))[:_PAGE]
        self._ask("user", """
            SELECT teams.name, personalities.name FROM owners JOIN teams ON teams.id = team_id
              JOIN personalities ON personalities.id = personality_id WHERE email = %s""", owner)
        for service, column, sql in _SHOWN:
            self._ask(service, sql, [run[_RUN.index(column)] for run in page])
        return [run[0] for run in page]

    def _owners(self, email: str) -> list[int]:
        return list(self._keys("user", "SELECT id FROM owners WHERE email = %s", email))

    def _keys(self, service: str, sql: str, *parameters: Any) -> set[Any]:
        return {row[0] for row in self._ask(service, sql, *parameters)}

    def _ask(self, service: str, sql: str, *parameters: Any) -> list[tuple]:
        with self._services[service].cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
