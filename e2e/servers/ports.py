"""Ports that stay ours: for the whole run, also while the server is down.

They lie below the kernel's ephemeral range, from which a client's connection could otherwise take
the port of a server that was just killed. A lock file each keeps two runs apart; the lock goes
with the process.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from .errors import ServersError

_FIRST, _LAST = 15000, 29999
_locks: list[int] = []  # open for as long as this program runs


def take() -> int:
    """A port that nobody else uses, on any address, or will be given."""
    folder = Path(tempfile.gettempdir()) / f"searchsync-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    ephemeral = _ephemeral()
    for port in random.sample(range(_FIRST, _LAST + 1), 2000):
        if port not in ephemeral and _lock(folder / str(port)) and _free(port):
            return port
    raise ServersError(f"no free port between {_FIRST} and {_LAST}: what uses them all? (ss -tln)")


def _ephemeral() -> range:
    words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    return range(int(words[0]), int(words[1]) + 1)


def _lock(path: Path) -> bool:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _locks.append(descriptor)
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
