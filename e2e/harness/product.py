"""The program under test: `searchsync run`, and the processes it starts."""

import http.client
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from e2e.servers import Process, ServersError, proctree, wait_until

from .engine import Connection

BINARY = Path(__file__).parents[2] / "build" / "release" / "bin" / "searchsync"
_START_SECONDS = 120


@dataclass(frozen=True)
class Child:
    """A process that `searchsync run` started."""

    name: str
    role: str
    pid: int
    address: str

    def send(self, number: signal.Signals) -> None:
        """Errors: ServersError if it is gone."""
        members = self._members()
        if not members:
            raise ServersError(f"{self.name}, {self.pid}, is gone already")
        proctree.send(members[0], number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def pause(self) -> None:
        """It stands still when this returns. Errors: as send(), also if it ended meanwhile."""
        self.send(signal.SIGSTOP)
        wait_until(lambda: all(map(proctree.stopped, self._members())), _START_SECONDS,
                   lambda: f"{self.name}, {self.pid}, does not stand still")
        if not self._members():
            raise ServersError(f"{self.name}, {self.pid}, is gone already")

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        return proctree.cpu_seconds(self._members())

    def rss_bytes(self) -> int:
        return proctree.rss_bytes(self._members())

    def _members(self) -> list[proctree.Stat]:
        stat = proctree.read(self.pid)
        return [stat] if stat is not None and not proctree.gone(stat) else []


class SearchSync:
    """One `searchsync run` over a folder of resources. A context manager: it runs inside, and
    nothing of it runs after. State and log are kept in `folder`."""

    def __init__(self, resources: Path, folder: Path, binary: Path = BINARY):
        if not binary.exists():
            raise ServersError(f"{binary} is not there: run `make build`")
        self.resources = resources
        folder.mkdir(parents=True, exist_ok=True)
        self._binary = str(binary)
        self._address_file = folder / "address"
        self.state_dir = folder / "state"
        self._process = Process("searchsync", [
            self._binary, "run", str(resources), "--state-dir", str(self.state_dir),
            "--listen", "127.0.0.1:0", "--address-file", str(self._address_file)],
            folder / "searchsync.log")

    def __enter__(self) -> "SearchSync":
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        return self._process.log

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers. Errors: it ended, or does not answer; with its last words."""
        self._address_file.unlink(missing_ok=True)
        self._process.start()
        self.wait("an answer from searchsync run", lambda: self.get("/healthz")[0] == 200,
                  _START_SECONDS)

    def stop(self) -> None:
        """Ends it in good order, and its children with it."""
        self._process.stop()

    def kill(self) -> None:
        """kill -9 of it and all its children."""
        self._process.kill()

    def running(self) -> bool:
        return self._process.running()

    @property
    def address(self) -> str:
        try:
            return self._address_file.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise ConnectionError("searchsync run has not said where it listens") from error

    def get(self, path: str) -> tuple[int, str]:
        """Status and text. Errors: OSError if there is no answer."""
        return text_of(self.address, path)

    def status(self) -> dict[str, Any]:
        code, text = self.get("/status")
        if code != 200:
            raise ServersError(f"/status: {code} {text}")
        return json.loads(text)

    def index(self, name: str) -> dict[str, Any]:
        """The status of one index."""
        return _named(self.status()["indices"], name)

    def binding(self, name: str) -> dict[str, Any]:
        return _named(self.status()["bindings"], name)

    def children(self, role: str | None = None) -> list[Child]:
        """Those that run, by name. role: only this one."""
        return sorted((Child(p["name"], p["role"], p["pid"], p["address"])
                       for p in self.status()["processes"]
                       if p["pid"] > 0 and role in (None, p["role"])), key=lambda c: c.name)

    def child(self, name: str) -> Child | None:
        return next((child for child in self.children() if child.name == name), None)

    def wait(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Until the condition holds; no answer counts as not yet.
        Errors: not in time, or searchsync ended; with status and last words."""
        def holds() -> bool:
            if not self._process.running():
                raise ServersError(f"{self._process.tail()}\nsearchsync ended, waiting for {what}")
            try:
                return condition()
            except (OSError, http.client.HTTPException, KeyError, ServersError):
                return False
        wait_until(holds, seconds, lambda: (
            f"{self._process.tail()}\n{self._last_status()}\nno {what} after {seconds} s: "
            f"see {self.log}"))

    def wait_served(self, index: str, seconds: float) -> None:
        """Until the alias shows one complete generation."""
        self.wait(f"alias {index} on a complete generation",
                  lambda: self.index(index)["phase"] == "Serving", seconds)

    def wait_ready(self, role: str, seconds: float = 120) -> Child:
        """The first process of a role, once all of that role say that they are ready."""
        children: list[Child] = []

        def ready() -> bool:
            children[:] = self.children(role)
            return bool(children) and all(
                child.address and text_of(child.address, "/readyz")[0] == 200
                for child in children)
        self.wait(f"ready {role}", ready, seconds)
        return children[0]

    def wait_replaced(self, gone: Child, seconds: float = 120) -> Child:
        """Until another process runs under the name of one that was killed."""
        found: list[Child] = []

        def replaced() -> bool:
            now = self.child(gone.name)
            if now is None or now.pid == gone.pid or not now.address:
                return False
            found.append(now)
            return True
        self.wait(f"new process {gone.name}", replaced, seconds)
        return found[0]

    def command(self, *arguments: str) -> list[str]:
        """The command line of another subcommand of the same program."""
        return [self._binary, *arguments]

    def _last_status(self) -> str:
        try:
            return json.dumps(self.status(), indent=1)
        except (OSError, ServersError, http.client.HTTPException) as error:
            return f"no status: {error}"


def text_of(address: str, path: str, timeout: float = 20) -> tuple[int, str]:
    """Status and text of a GET. Errors: OSError."""
    connection = Connection(address, timeout)
    try:
        status, text = connection.request("GET", path, parse=bytes.decode)
    finally:
        connection.close()
    return status, text or ""


def _named(items: list[dict], name: str) -> dict:
    """Errors: KeyError."""
    for item in items:
        if item["name"] == name:
            return item
    raise KeyError(name)
