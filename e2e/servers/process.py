"""Child processes that nothing outlives: own group, log file, death with the parent."""

import atexit
import os
import pwd
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Callable

from . import proctree
from .errors import ServersError

_POLL_SECONDS = 0.03


def wait_until(condition: Callable[[], bool], seconds: float, failure: Callable[[], str]) -> None:
    """Returns once the condition holds; raises ServersError(failure()) after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServersError(failure())
        time.sleep(_POLL_SECONDS)


class Process:
    """One server's process and all it starts; restartable. Not for use by two threads at once,
    except kill(), which any thread may call at any time.

    user: runs as that user if this process is root, and is ignored otherwise.
    """

    def __init__(self, name: str, command: list[str], log: Path, *,
                 env: dict[str, str] | None = None, cwd: Path | None = None,
                 user: str | None = None):
        self.name = name
        self.log = log
        self._command = as_user(user, command)
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._child: subprocess.Popen | None = None
        self._root: proctree.Stat | None = None

    def start(self) -> None:
        """Starts it; its output is added to the end of the log."""
        if self.running():
            raise ServersError(f"{self.name} runs already, as {self.pid}")
        _launcher.launch(self)

    def spawn(self) -> None:
        """For the launching thread only."""
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT, cwd=self._cwd, env=self._env,
                                           process_group=0)
        self._root = proctree.read(self._child.pid)  # there even if it ended: not waited for yet

    @property
    def pid(self) -> int:
        """Of the process started. Errors: it was never started."""
        if self._child is None:
            raise ServersError(f"{self.name} was not started")
        return self._child.pid

    def pids(self) -> list[int]:
        """Of everything that runs, the process started first."""
        return [stat.pid for stat in self._tree()]

    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def stop(self, seconds: float = 60, number: signal.Signals = signal.SIGTERM) -> None:
        """Asks it to end, and waits; kill() if it does not in time. Fine if it ended already."""
        deadline = time.monotonic() + seconds
        self.resume()
        members = self._tree()
        if self.running():
            self._child.send_signal(number)
        while not all(map(proctree.gone, members)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """kill -9 of everything, and waits until it is gone. Nothing can be started meanwhile:
        the first process is stopped before the others are listed."""
        if self._child is None:
            return
        members = self._freeze()
        for stat in members:
            proctree.send(stat, signal.SIGKILL)
        self._child.wait()
        wait_until(lambda: all(map(proctree.gone, members)), 30,
                   lambda: f"{self.name}: a process outlives kill -9: {members}")

    def pause(self) -> None:
        """SIGSTOP of everything; returns when nothing of it runs."""
        if not self.running():
            raise ServersError(f"{self.name} is not running: it cannot be paused")
        members = self._freeze()
        for stat in members:
            proctree.send(stat, signal.SIGSTOP)
        self._wait_stopped(members)

    def resume(self) -> None:
        """SIGCONT of everything. Fine if it was not paused."""
        for stat in self._tree():
            proctree.send(stat, signal.SIGCONT)

    def rss_bytes(self) -> int:
        """0 if it does not run."""
        return proctree.rss_bytes(self._tree())

    def cpu_seconds(self) -> float:
        """Of the processes that run, and those of their children that ended; 0 after a restart."""
        return proctree.cpu_seconds(self._tree())

    def tail(self, lines: int = 25) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _tree(self) -> list[proctree.Stat]:
        return proctree.tree(self._root) if self._root is not None else []

    def _freeze(self) -> list[proctree.Stat]:
        """Stops the first process, so that it starts no other, then lists them all."""
        if self.running():
            self._child.send_signal(signal.SIGSTOP)
            self._wait_stopped([self._root])
        return self._tree()

    def _wait_stopped(self, members: list[proctree.Stat]) -> None:
        """The kernel stops a process some time after the signal was sent."""
        wait_until(lambda: all(map(proctree.stopped, members)), 30,
                   lambda: f"{self.name}: a process does not stop: {members}")


def as_user(user: str | None, command: list[str]) -> list[str]:
    """The command, dying with the thread that starts it, as the user if this one is root."""
    who = []
    if user is not None and os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        who = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]
    return ["setpriv", "--pdeathsig=KILL", *who, "--", *command]


def execute(command: list[str], *, user: str | None = None, stdin: str | None = None,
            cwd: Path = Path("/"), seconds: float | None = None) -> tuple[int, str]:
    """Runs a command to its end; its exit code and output. Errors: no end after that time."""
    with subprocess.Popen(as_user(user, command), stdout=subprocess.PIPE, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                          stderr=subprocess.STDOUT) as child:
        _commands.add(child)
        try:
            output, _ = child.communicate(stdin, seconds)
        except subprocess.TimeoutExpired as error:
            raise ServersError(f"{' '.join(command)}: no end after {seconds} s") from error
        finally:
            child.kill()  # does nothing after its end
            _commands.discard(child)
    return child.returncode, output


def run(command: list[str], *, user: str | None = None, stdin: str | None = None,
        seconds: float = 300) -> str:
    """The output of a command. Errors: it ends with another exit code than 0."""
    code, output = execute(command, user=user, stdin=stdin, seconds=seconds)
    if code != 0:
        raise ServersError(f"{output}\n{' '.join(command)}\nended with {code}")
    return output


def kill_commands() -> None:
    """Ends what execute() waits for in other threads; for a program that is ending."""
    for child in list(_commands):
        child.kill()


_commands: set[subprocess.Popen] = set()


class _Launcher:
    """Starts every process from one thread that lives as long as this program.

    The kernel's parent-death signal goes out when the *thread* that started a child ends; a child
    started from a short-lived thread would be killed at that thread's end.
    """

    def __init__(self):
        self._wanted: queue.Queue[tuple[Process, Future]] = queue.Queue()
        self._started: list[Process] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def launch(self, process: Process) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="launcher")
                self._thread.start()
        answer: Future = Future()
        self._wanted.put((process, answer))
        answer.result()

    def kill_all(self) -> None:
        """Kills what still runs; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            started = list(self._started)
        for process in started:
            process.kill()

    def _run(self) -> None:
        while True:
            process, answer = self._wanted.get()
            try:
                self._launch(process)
                answer.set_result(None)
            except Exception as error:  # goes to whoever asked
                answer.set_exception(error)

    def _launch(self, process: Process) -> None:
        with self._lock:
            if self._closed:
                raise ServersError(f"{process.name}: not started, this program is ending")
            process.spawn()
            if process not in self._started:
                self._started.append(process)


_launcher = _Launcher()
atexit.register(_launcher.kill_all)


def end_on_signals() -> None:
    """Makes SIGTERM and SIGHUP end this program as Ctrl-C does: with its clean-up. From the main
    thread only; elsewhere it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda received, frame: sys.exit(128 + received))
