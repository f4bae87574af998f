"""The cache of servers, downloaded or built: outside the checkout, shared by all runs of a user.

An artefact is a folder that is either absent or complete: it is made beside its place and renamed
into it. One file lock covers all downloads from Maven, because they share one repository.
"""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol
from xml.sax.saxutils import escape

from .errors import ServersError
from .process import execute

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
# What programs say that download, in lower case.
_NETWORK_ERRORS = (
    "could not transfer artifact", "connection reset", "connection timed out", "read timed out",
    "connect timed out", "temporary failure in name resolution", "unknownhostexception",
    "connection refused", "502 bad gateway", "503 service unavailable", "premature end",
    "i/o timeout", "tls handshake timeout", "unexpected eof",
)


def cache_dir() -> Path:
    """$SEARCHSYNC_CACHE, or ~/.cache/searchsync. Made if it is missing."""
    path = Path(os.environ.get("SEARCHSYNC_CACHE") or Path.home() / ".cache" / "searchsync")
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


class Artefact(Protocol):
    """name: of its folder. lock: a file that only one run at a time has; an artefact may get()
    another while it is filled, if that one has another lock."""

    name: str
    lock: str

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        """Makes it in the empty folder; what is beside that folder is removed afterwards."""


@dataclass(frozen=True)
class Jars:
    """A folder of jars: Maven coordinates group:artifact:version, with all they depend on."""

    name: str
    coordinates: tuple[str, ...]
    lock: str = "fetch.lock"

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        scratch = folder.parent
        (scratch / "pom.xml").write_text(_pom(self.name, self.coordinates), encoding="utf-8")
        _maven(scratch, f"{_PLUGIN}:copy-dependencies", f"-DoutputDirectory={folder}",
               "-DincludeScope=runtime")


@dataclass(frozen=True)
class ZipPart:
    """The folder `inside` of a zip of Maven Central. The zip itself is not kept."""

    name: str
    coordinate: str  # group:artifact:version:zip
    inside: str      # the last name of a folder in the zip, at any depth
    lock: str = "fetch.lock"

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        whole = folder / "unpacked"
        _maven(folder.parent, f"{_PLUGIN}:unpack", f"-Dartifact={self.coordinate}",
               f"-DoutputDirectory={whole}", f"-Dmdep.unpack.includes=**/{self.inside}/**")
        found = [path for path in whole.glob(f"**/{self.inside}") if (path / "bin").is_dir()]
        if len(found) != 1:
            raise ServersError(f"{self.coordinate} holds {len(found)} folders {self.inside}/ with a"
                               " bin/ in it, expected one: is the version right?")
        for entry in found[0].iterdir():
            entry.rename(folder / entry.name)
        shutil.rmtree(whole)
        group, artifact, version, _ = self.coordinate.split(":")
        shutil.rmtree(_repository().joinpath(*group.split("."), artifact, version))


def get(artefact: Artefact, progress: Callable[[str], None] = lambda line: None) -> Path:
    """The complete folder of the artefact, making it first if it is not there yet."""
    place = cache_dir() / artefact.name
    if place.is_dir():
        return place
    with _lock(artefact.lock, progress):
        if place.is_dir():  # another run made it while this one waited
            return place
        progress(f"{artefact.name}: fetching, once")
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache_dir()) as scratch:
            folder = Path(scratch) / "artefact"
            folder.mkdir()
            artefact.fill(folder, progress)
            if not any(folder.iterdir()):
                raise ServersError(f"{artefact.name}: nothing came")
            folder.rename(place)
    return place


@contextlib.contextmanager
def _lock(name: str, progress: Callable[[str], None]):
    with open(cache_dir() / name, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another run that is fetching")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _repository() -> Path:
    return cache_dir() / "maven"


def _maven(scratch: Path, *arguments: str) -> None:
    if shutil.which("mvn") is None:
        raise ServersError("mvn is not installed: run `make packages`")
    run_downloader(["mvn", "-q", "-B", f"-Dmaven.repo.local={_repository()}", *arguments], scratch,
                   "check that Maven Central can be reached, and proxies in ~/.m2/settings.xml")


def run_downloader(command: list[str], folder: Path, advice: str) -> None:
    """Runs it there; once more if the network, and nothing else, failed it. advice: what to do
    about the network."""
    for last_try in (False, True):
        code, output = execute(command, cwd=folder)
        if code == 0:
            return
        network = any(error in output.lower() for error in _NETWORK_ERRORS)
        if last_try or not network:
            reason = f"the network failed it twice: {advice}" if network else "see its words above"
            raise ServersError(f"{output}\n{' '.join(command)}\nin {folder} failed: {reason}")
        print(f"the network failed it, trying once more: {' '.join(command)}", file=sys.stderr,
              flush=True)


def _pom(name: str, coordinates: tuple[str, ...]) -> str:
    dependencies = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
        "</dependency>".format(*map(escape, coordinate.split(":")))
        for coordinate in coordinates)
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            f"<groupId>searchsync.servers</groupId><artifactId>{escape(name)}</artifactId>"
            f"<version>1</version><packaging>pom</packaging>"
            f"<dependencies>{dependencies}</dependencies></project>")
