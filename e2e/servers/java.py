"""Finding a Java that a server can run on, and starting it fast."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import cache
from .errors import ServersError
from .process import Process, wait_until

_FILE = "classes.jsa"
_READY_SECONDS = 300
# For servers that live for minutes: the optimising compiler would take more than it gives.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"


def find(lowest: int, highest: int) -> Path:
    """JAVA_HOME of the oldest installed Java between the two versions.

    Looks at $JAVA_HOME, /usr/lib/jvm and /opt. Errors: there is none; says what to install.
    """
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    for folder in (Path("/usr/lib/jvm"), Path("/opt")):
        homes += sorted(folder.glob("*")) if folder.is_dir() else []
    versions = {home: _version(home) for home in homes}
    fit = [home for home, version in versions.items() if lowest <= version <= highest]
    if not fit:
        raise ServersError(
            f"Java {lowest} to {highest} is needed, and found are "
            f"{sorted({version for version in versions.values() if version}) or 'none'}: "
            + ("run `make packages`" if lowest <= 17 else
               f"install a JDK of version {lowest} or newer (Debian 12 has only 17; a Temurin 25 "
               "from Adoptium does) under /usr/lib/jvm or /opt, or set JAVA_HOME"))
    return min(fit, key=lambda home: versions[home])


def with_shared_classes(home: Path, jars: str, process: Callable[..., Process],
                        ready: Callable[[], bool]) -> Process:
    """A server that maps the classes it needs, in the form they have in memory: it is ready in
    half the time. The first time of all it is run once to write them; a Java that writes none is
    started without.

    jars: the name of its jars. process: the server with more options for Java, not started. ready:
    whether it serves.
    """
    name = f"{jars}-classes-{_release(home, 'JAVA_RUNTIME_VERSION')}"
    made = cache.get(_Classes(name, f"{name}.lock", process, ready))
    archive = made / _FILE
    return process(f"-XX:SharedArchiveFile={archive}") if archive.exists() else process()


@dataclass(frozen=True)
class _Classes:
    """What a server has loaded when it serves. Of use to the same Java with the same jars only."""

    name: str
    lock: str
    process: Callable[..., Process]
    ready: Callable[[], bool]

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        process = self.process(f"-XX:ArchiveClassesAtExit={folder / _FILE}")
        process.start()
        try:
            wait_until(lambda: self.ready() or not process.running(), _READY_SECONDS,
                       lambda: f"{process.tail()}\n{process.name} does not serve")
            if not process.running():
                raise ServersError(f"{process.tail()}\n{process.name} ended by itself")
            process.stop()
        finally:
            process.kill()
        if not (folder / _FILE).exists():
            progress(f"{process.name}: this Java writes no shared classes; see {process.log}")
            (folder / "none").touch()


def _version(home: Path) -> int:
    """The major version, 0 if this is not a Java."""
    if not (home / "bin" / "java").exists():
        return 0
    match = re.match(r"\d+", _release(home, "JAVA_VERSION"))
    return int(match.group()) if match else 0


def _release(home: Path, name: str) -> str:
    """An entry of the file that says what a Java is; empty if it is missing."""
    release = home / "release"
    text = release.read_text(errors="replace") if release.is_file() else ""
    match = re.search(f'^{name}="([^"]*)"', text, re.MULTILINE)
    return match.group(1) if match else ""
