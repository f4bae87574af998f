"""Finding a Java that a server can run on."""

import os
import re
from pathlib import Path

from .errors import ServersError


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


def _version(home: Path) -> int:
    """The major version, 0 if this is not a Java."""
    release = home / "release"
    if not (home / "bin" / "java").exists() or not release.is_file():
        return 0
    match = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(errors="replace"), re.MULTILINE)
    return int(match.group(1)) if match else 0
