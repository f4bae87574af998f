"""Servers that start and end together, in a folder of their own."""

import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Callable

from .errors import ServersError
from .process import end_on_signals, kill_commands
from .server import Server


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Group(ABC):
    """The servers of one run, as a context manager: all serve inside it, none runs after it.

    run_dir: for data and logs; must not hold those of another run of the same kind, and is kept.
    Without it a temporary folder is used, which is kept only if something fails.
    """

    kind: str  # the name of the folder below run_dir, and of the two files that describe it

    def __init__(self, run_dir: Path | None, progress: Callable[[str], None]):
        self._temporary = run_dir is None
        self.run_dir = _run_folder(run_dir, self.kind)
        self._progress = progress

    @property
    @abstractmethod
    def phases(self) -> list[list[Server]]:
        """The servers of each phase start at once, when those of the phase before serve."""

    @abstractmethod
    def describe(self) -> dict:
        """What a client has to know of what runs."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The same for a shell: the variables that clients look at."""

    @property
    def servers(self) -> list[Server]:
        return [server for phase in self.phases for server in phase]

    def __enter__(self):
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
        """Returns when all serve, and has written <kind>.json and <kind>.env. Errors: one did not
        start; then none runs."""
        for phase in self.phases:
            self._start_phase(phase)
        described = json.dumps(self.describe(), indent=2) + "\n"
        _write(self.run_dir / f"{self.kind}.json", described)
        lines = [f"{key}={shlex.quote(value)}\n" for key, value in self.environment().items()]
        _write(self.run_dir / f"{self.kind}.env", "".join(lines))

    def stop(self) -> None:
        """The phases from the last to the first."""
        for phase in reversed(self.phases):
            with ThreadPoolExecutor(max_workers=len(phase)) as pool:
                list(pool.map(lambda server: server.stop(), phase))

    def _start_phase(self, phase: list[Server]) -> None:
        pool = ThreadPoolExecutor(max_workers=len(phase))
        try:
            for started in as_completed([pool.submit(self._start, one) for one in phase]):
                started.result()
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C, SIGTERM: the whole program ends
                kill_commands()
            self._abandon(pool)
            raise
        pool.shutdown()

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


def _run_folder(wanted: Path | None, kind: str) -> Path:
    """Other users than this one may enter it: some servers run as others."""
    if wanted is None:
        folder = Path(tempfile.mkdtemp(prefix="searchsync-"))
        folder.chmod(0o755)
        return folder
    if (wanted / kind).exists():
        raise ServersError(f"{wanted} holds the {kind} of another run: remove {wanted}/{kind}, "
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
