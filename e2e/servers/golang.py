"""Programs built from Go modules: from what a go.mod names, and the Go beside it if there is any."""

import hashlib
import os
import platform
import re
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

from . import cache
from .errors import ServersError
from .process import execute

_MODULES = Path(__file__).with_name("go")
_LOWEST = (1, 24)
_DEFAULT_PROXY = "https://proxy.golang.org"
_PINNED = "v0.0.1-go1.24.13.linux-amd64"
_PINNED_SHA256 = "d2b048367a3d1a748b87f756fa06df12ce3b419e1d5f2a3612acb8950d615f9f"


@dataclass(frozen=True)
class GoToolchain:
    """Go itself, from the module proxy: for machines that have none, or one that is too old."""

    name: str = f"go-{_PINNED.split('go')[1]}"
    lock: str = "go-toolchain.lock"

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        if platform.machine() != "x86_64":
            raise ServersError(f"install Go {_version_text(_LOWEST)} or newer: the one that is "
                               "fetched by itself is for x86_64 only")
        packed = folder.parent / "go.zip"
        _download(f"{_proxy()}/golang.org/toolchain/@v/{_PINNED}.zip", packed)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder.parent / "go")
        packed.unlink()
        root = folder.parent / "go" / f"golang.org/toolchain@{_PINNED}"
        for entry in root.iterdir():
            entry.rename(folder / entry.name)
        # The archives of modules carry no modes.
        for program in (*folder.glob("bin/*"), *folder.glob("pkg/tool/*/*")):
            program.chmod(0o755)


@dataclass(frozen=True)
class GoTools:
    """A folder of programs, of the module in `place`; without one, of `go/<module>`, which is its
    go.mod and the tools that this names.

    programs: each program's file name, with the package that it is built from. stamps: the string
    variables that the linker sets, with their values. Built anew when go.mod, go.sum or a source
    beside them changes.
    """

    module: str
    version: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str]
    lock: str = "go.lock"
    place: Path | None = None

    @property
    def name(self) -> str:
        digest = hashlib.sha256()
        for file in (self._folder / "go.mod", self._folder / "go.sum",
                     *sorted(self._folder.glob("*.go"))):
            digest.update(file.read_bytes())
        digest.update(repr((sorted(self.programs.items()), sorted(self.stamps.items()))).encode())
        return f"{self.module}-{self.version}-{digest.hexdigest()[:12]}"

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        go = find(progress)
        flags = " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in self.stamps.items())])
        for number, (program, package) in enumerate(self.programs.items(), 1):
            progress(f"{self.module}: building {program}, {number} of {len(self.programs)}")
            began = time.monotonic()
            _go(go, ["build", "-trimpath", "-ldflags", flags, "-o", str(folder / program),
                     package], self._folder)
            progress(f"{self.module}: built {program} in {time.monotonic() - began:.0f} s")

    @property
    def _folder(self) -> Path:
        return self.place or _MODULES / self.module


def find(progress: Callable[[str], None] = lambda line: None) -> Path:
    """The `go` command: that of the PATH if it is new enough, otherwise one in the cache, fetched
    if it is not there yet."""
    own = shutil.which("go")
    if own is not None and _version(Path(own)) >= _LOWEST:
        return Path(own)
    return cache.get(GoToolchain(), progress) / "bin" / "go"


def environment(go: Path) -> dict[str, str]:
    """For a build whose result depends on go.mod, go.sum and the version of Go only.

    Modules and objects go where the user's Go keeps them; below the cache if that was chosen by
    SEARCHSYNC_CACHE, so that an empty cache is really empty.
    """
    variables = {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0",
                 "GOFLAGS": "-mod=readonly -buildvcs=false", "PATH": f"{go.parent}:/usr/bin:/bin"}
    if os.environ.get("SEARCHSYNC_CACHE"):
        place = cache.cache_dir() / "go"
        # Writable, because otherwise not even its owner can remove a cache of modules.
        variables |= {"GOMODCACHE": str(place / "modules"), "GOCACHE": str(place / "objects"),
                      "GOFLAGS": variables["GOFLAGS"] + " -modcacherw"}
    return variables


def _go(go: Path, arguments: list[str], folder: Path) -> None:
    """At low priority: minutes of all cores, which others need too."""
    settings = [f"{key}={value}" for key, value in environment(go).items()]
    cache.run_downloader(["env", "-u", "GOROOT", *settings, "nice", str(go), *arguments], folder,
                         "modules come from $GOPROXY, or the public proxy without it")


def _version(go: Path) -> tuple[int, ...]:
    """(0,) if it does not say. GOTOOLCHAIN: Go may not download another one for the answer."""
    code, output = execute(["env", "GOTOOLCHAIN=local", str(go), "env", "GOVERSION"])
    match = re.search(r"^go(\d+)\.(\d+)", output, re.MULTILINE)
    return (int(match[1]), int(match[2])) if code == 0 and match else (0,)


def _version_text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _proxy() -> str:
    """The first URL in $GOPROXY; the public proxy if there is none."""
    for entry in re.split("[,|]", os.environ.get("GOPROXY", "")):
        if entry.startswith(("https://", "http://", "file://")):
            return entry.rstrip("/")
    return _DEFAULT_PROXY


def _download(url: str, place: Path) -> None:
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(place, "wb") as file:
            while part := answer.read(1 << 20):
                digest.update(part)
                file.write(part)
    except (urllib.error.URLError, OSError) as error:
        raise ServersError(f"{url}: {error}: check that it can be reached, or install Go "
                           f"{_version_text(_LOWEST)} or newer") from error
    if digest.hexdigest() != _PINNED_SHA256:
        raise ServersError(f"{url} is not what is expected: its sha256 is {digest.hexdigest()}, "
                           f"and should be {_PINNED_SHA256}")
