"""PostgreSQL, Kafka and a search engine, together."""

import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Callable, Mapping

from .certificates import Authority
from .errors import ServersError
from .kafka import Kafka
from .postgres import Postgres
from .process import end_on_signals, kill_commands
from .search import DEFAULT_ENGINE, Search
from .server import Server

PARTS = ("postgres", "kafka", "search")


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Stack:
    """The servers of one run, as a context manager: all serve inside it, none runs after it.

    run_dir: for data and logs; must not hold those of another run, and is kept. Without it a
    temporary folder is used, which is kept only if something fails.
    engine: of search.ENGINES; without it $SEARCH, or OpenSearch 2.
    parts: which of PARTS to start; the others are None.
    authority, kafka_users: see Postgres and Kafka.
    """

    def __init__(self, run_dir: Path | None = None, *, engine: str | None = None,
                 parts: tuple[str, ...] = PARTS, search_heap: str = "1g", kafka_heap: str = "512m",
                 authority: Authority | None = None, kafka_users: Mapping[str, str] | None = None,
                 progress: Callable[[str], None] = to_stderr):
        self._temporary = run_dir is None
        self.run_dir = _run_folder(run_dir)
        self._progress = progress
        engine = engine or os.environ.get("SEARCH") or DEFAULT_ENGINE
        servers = self.run_dir / "servers"
        self.postgres = Postgres(servers / "postgres", authority) if "postgres" in parts else None
        self.kafka = (Kafka(servers / "kafka", kafka_heap, authority, kafka_users)
                      if "kafka" in parts else None)
        self.search = Search(servers / "search", engine, search_heap) if "search" in parts else None
        self.servers: list[Server] = [server for server in (self.postgres, self.kafka, self.search)
                                      if server is not None]

    def __enter__(self) -> "Stack":
        end_on_signals()
        try:
            self.start()
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.stop()
        self._leave(error)

    def start(self) -> None:
        """All at once; returns when all serve, and has written servers.json and servers.env.
        Errors: one did not start; then none runs."""
        pool = ThreadPoolExecutor(max_workers=len(self.servers))
        try:
            for started in as_completed([pool.submit(self._start, one) for one in self.servers]):
                started.result()
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C, SIGTERM: the whole program ends
                kill_commands()
            self._abandon(pool)
            raise
        pool.shutdown()
        self._describe()

    def stop(self) -> None:
        with ThreadPoolExecutor(max_workers=len(self.servers)) as pool:
            list(pool.map(lambda server: server.stop(), self.servers))

    def describe(self) -> dict:
        """What a client has to know of each server that runs."""
        return {"run_dir": str(self.run_dir),
                **{server.name: server.describe() for server in self.servers}}

    def _start(self, server: Server) -> None:
        began = time.monotonic()
        server.start()
        server.wait_ready()
        seconds = time.monotonic() - began
        self._progress(f"{server.name:<10} ready {server.address:<16} {seconds:5.1f} s")

    def _abandon(self, pool: ThreadPoolExecutor) -> None:
        """Closing first: a thread that is still preparing its server must not start it later."""
        for server in self.servers:
            server.close()
        pool.shutdown()

    def _leave(self, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._progress(f"logs and data are kept in {self.run_dir}")
        elif self._temporary:
            shutil.rmtree(self.run_dir)

    def _describe(self) -> None:
        described = self.describe()
        _write(self.run_dir / "servers.json", json.dumps(described, indent=2) + "\n")
        lines = [f"{key}={shlex.quote(value)}\n" for key, value in _environment(described).items()]
        _write(self.run_dir / "servers.env", "".join(lines))


def _environment(described: dict) -> dict[str, str]:
    """For a shell: `set -a; . RUN_DIR/servers.env`, after which psql connects by itself."""
    variables = {"SEARCHSYNC_RUN_DIR": described["run_dir"]}
    if "postgres" in described:
        postgres = described["postgres"]
        variables |= {"POSTGRES_URI": postgres["uri"], "PGHOST": postgres["host"],
                      "PGPORT": str(postgres["port"]), "PGUSER": postgres["user"],
                      "PGPASSWORD": postgres["password"]}
    if "kafka" in described:
        variables["KAFKA_BOOTSTRAP"] = described["kafka"]["bootstrap"]
    if "search" in described:
        variables["SEARCH_URL"] = described["search"]["url"]
    return variables


def _run_folder(wanted: Path | None) -> Path:
    """Other users than this one may enter it: some servers run as others."""
    if wanted is None:
        folder = Path(tempfile.mkdtemp(prefix="searchsync-"))
        folder.chmod(0o755)
        return folder
    if (wanted / "servers").exists():
        raise ServersError(f"{wanted} holds the servers of another run: remove {wanted}/servers, "
                           "or choose another folder")
    wanted.mkdir(parents=True, exist_ok=True)
    return wanted.resolve()


def _write(path: Path, text: str) -> None:
    """For its owner only, because of the password; complete or not there."""
    fresh = path.with_suffix(path.suffix + ".new")
    with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
