"""PostgreSQL, Kafka and a search engine, together."""

import os
from pathlib import Path
from typing import Callable, Mapping

from .certificates import Authority
from .group import Group, to_stderr
from .kafka import Kafka
from .postgres import Postgres
from .search import DEFAULT_ENGINE, Search
from .server import LOOPBACK, Server

PARTS = ("postgres", "kafka", "search")


class Stack(Group):
    """The servers of one run, as a context manager: all serve inside it, none runs after it.

    run_dir: see Group.
    engine: of search.ENGINES; without it $SEARCH, or OpenSearch 2.
    parts: which of PARTS to start; the others are None.
    host: the address that they listen on, tell clients of, and are reached at; it must be there
    before they start. That of a Cluster's node is one that pods reach too.
    authority, kafka_users: see Postgres and Kafka.
    jit: whether the JVMs compile as well as they can, for who measures or loads them for minutes.
    They are ready later then.
    """

    kind = "servers"

    def __init__(self, run_dir: Path | None = None, *, engine: str | None = None,
                 parts: tuple[str, ...] = PARTS, search_heap: str = "1g", kafka_heap: str = "512m",
                 host: str = LOOPBACK, authority: Authority | None = None,
                 kafka_users: Mapping[str, str] | None = None, jit: bool = False,
                 progress: Callable[[str], None] = to_stderr):
        super().__init__(run_dir, progress)
        engine = engine or os.environ.get("SEARCH") or DEFAULT_ENGINE
        servers = self.run_dir / self.kind
        self.postgres = (Postgres(servers / "postgres", authority, host)
                         if "postgres" in parts else None)
        self.kafka = (Kafka(servers / "kafka", kafka_heap, authority, kafka_users, host, jit)
                      if "kafka" in parts else None)
        self.search = (Search(servers / "search", engine, search_heap, host, jit)
                       if "search" in parts else None)

    @property
    def phases(self) -> list[list[Server]]:
        return [[one for one in (self.postgres, self.kafka, self.search) if one is not None]]

    def describe(self) -> dict:
        """What a client has to know of each server that runs."""
        return {"run_dir": str(self.run_dir),
                **{server.name: server.describe() for server in self.servers}}

    def environment(self) -> dict[str, str]:
        """For a shell: `set -a; . RUN_DIR/servers.env`, after which psql connects by itself."""
        variables = {"SEARCHSYNC_RUN_DIR": str(self.run_dir)}
        if self.postgres is not None:
            postgres = self.postgres.describe()
            variables |= {"POSTGRES_URI": postgres["uri"], "PGHOST": postgres["host"],
                          "PGPORT": str(postgres["port"]), "PGUSER": postgres["user"],
                          "PGPASSWORD": postgres["password"]}
        if self.kafka is not None:
            variables["KAFKA_BOOTSTRAP"] = self.kafka.address
        if self.search is not None:
            variables["SEARCH_URL"] = self.search.url
        return variables
