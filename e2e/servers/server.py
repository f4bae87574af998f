"""What all servers have in common."""

import os
import pwd
import subprocess
import threading
from abc import ABC, abstractmethod
from pathlib import Path

from . import ports
from .errors import ServersError
from .process import Process, as_user, wait_until

READY_SECONDS = 300
LOOPBACK = "127.0.0.1"


class Server(ABC):
    """A real server on this machine, with data and port that it keeps until its run folder goes.

    start() returns when the process is launched, wait_ready() when it serves. One thread at a time
    may use a server, except for kill() and close().
    """

    name: str

    def __init__(self, folder: Path, host: str = LOOPBACK):
        """folder: its own, made if missing; data, configuration and log go there. host: the address
        of this machine that it listens on."""
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "server.log"
        self.host = host
        self.port = ports.take()
        self._process: Process | None = None
        self._closed = threading.Event()

    @abstractmethod
    def _prepare(self) -> Process:
        """Makes configuration and data, downloading what is missing; the process to start."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it serves, now. May take a second, no more."""

    @abstractmethod
    def describe(self) -> dict:
        """What a client has to know, for servers.json."""

    def _give_folder_to(self, user: str) -> None:
        """Makes that user the owner of the folder, if this program is root.

        Errors: the user cannot reach it, because of a folder above.
        """
        if os.geteuid() != 0:
            return
        entry = pwd.getpwnam(user)
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        if not reaches(user, self.folder):
            raise ServersError(f"{self.name} runs as the user {user}, who may not enter "
                               f"{self.folder}: choose a run folder elsewhere, say under /tmp")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def process(self) -> Process:
        if self._process is None:
            raise ServersError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def pids(self) -> list[int]:
        return self.process.pids()

    def start(self) -> None:
        if self._process is None:
            self._process = self._prepare()
        self._process.start()
        if self._closed.is_set():  # while it was being prepared
            self._process.kill()

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Errors: it ended, or does not serve in time; with the end of its log."""
        wait_until(self._ready_or_ended, timeout, lambda: (
            f"{self.process.tail()}\n{self.name} does not serve after {timeout} s: see {self.log}"))

    def stop(self) -> None:
        """Ends it in good order. Fine if it does not run."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """kill -9, of all its processes. Fine if it does not run."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """kill(), for good: a start() under way in another thread fails in its wait_ready()."""
        self._closed.set()
        self.kill()

    def restart(self) -> None:
        """Again with the same port and data, ended first in good order if it runs. Serves when
        this returns."""
        self.stop()
        self.start()
        self.wait_ready()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def running(self) -> bool:
        return self._process is not None and self._process.running()

    def rss_bytes(self) -> int:
        return self.process.rss_bytes()

    def cpu_seconds(self) -> float:
        return self.process.cpu_seconds()

    def _ready_or_ended(self) -> bool:
        if not self.process.running():
            raise ServersError(f"{self.process.tail()}\n{self.name} ended while it was starting: "
                               f"see {self.log}")
        return self._ready()


def reaches(user: str, folder: Path) -> bool:
    """Whether the user may enter and read the folder."""
    command = as_user(user, ["test", "-r", str(folder), "-a", "-x", str(folder)])
    return subprocess.run(command, check=False).returncode == 0
