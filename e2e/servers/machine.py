"""What a cluster with a node changes on the machine, and how all of that is undone.

Before the first change, a file tells what will be changed, and what it was; when the last one is
undone, the file is emptied. So a run that was killed is cleaned up by the next one. The file is
where a reboot, which undoes these changes too, forgets it.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Iterator

from . import proctree
from .control_plane import SERVICE_NETWORK
from .errors import ServersError
from .node import NODE_ADDRESS, PLUGINS, POD_BRIDGE
from .process import execute, run, wait_until

_RECORD = Path("/run/searchsync-cluster.json")
_NODE_BRIDGE = "k8snode"
_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "iptables-save",
             "iptables-restore", "nft", "g++")
_LOG_LINKS = Path("/var/log/containers")
_NETWORK_RESULTS = Path("/var/lib/cni/results")
# What is still sent to a Service after the proxy's rules, because they do not have it yet, or are
# being replaced table by table, is refused here: beyond the machine, others may answer.
_REFUSALS = "ip searchsync-services"
_REFUSAL_RULES = f"""table {_REFUSALS} {{
  chain refuse {{
    ip daddr != {SERVICE_NETWORK} return
    meta l4proto tcp reject with tcp reset
    reject
  }}
  chain from-machine {{
    type filter hook output priority filter + 1
    jump refuse
  }}
  chain from-pods {{
    type filter hook forward priority filter + 1
    jump refuse
  }}
}}"""
# Paths that the programs here cannot be told to change.
_FOLDERS = (Path("/var/lib/kubelet"), Path("/var/lib/cni"), Path("/run/containerd"), _LOG_LINKS)
# Set by the kubelet, the proxy or the network plugin; the first two by us, in any case.
_SETTINGS = (
    "net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables", "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)


@dataclass(frozen=True)
class _Record:
    """What there was before. folder: the run's. made: those of _FOLDERS that were missing. tables:
    of rules."""

    pid: int
    folder: str
    settings: dict[str, str]
    made: list[str]
    tables: list[str]


class Machine:
    """Had by one cluster at a time: from take() to restore(), which kills all that runs in pods,
    and may be called more than once. folder: below it is all that the cluster mounts."""

    def __init__(self, folder: Path, progress: Callable[[str], None]):
        self._folder = folder
        self._progress = progress
        self._lock: int | None = None

    def take(self) -> None:
        """Before prepare(); undone by restore(). Errors: not root, something is not installed,
        another cluster is here."""
        _check_programs()
        self._lock = _take_lock()

    def prepare(self) -> None:
        """Errors: a Kubernetes is here that is not ours."""
        left = _read_record()
        if left is not None:
            self._progress(f"cleaning up after the cluster of {left.folder}, which was killed")
            _undo(left)
        _check_alone()
        record = _Record(os.getpid(), str(self._folder), dict(_settings()),
                         [str(folder) for folder in _FOLDERS if not folder.exists()], _tables())
        _write_record(json.dumps(asdict(record)))
        for setting in _SETTINGS[:2]:
            if setting in record.settings:
                (Path("/proc/sys") / setting).write_text("1", encoding="ascii")
        run(["ip", "link", "add", _NODE_BRIDGE, "type", "bridge"])
        run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", _NODE_BRIDGE])
        run(["ip", "link", "set", _NODE_BRIDGE, "up"])
        run(["nft", "--file", "-"], stdin=_REFUSAL_RULES)

    def restore(self) -> None:
        """Errors: something cannot be undone. The next cluster tries it again."""
        if self._lock is None:
            return
        try:
            record = _read_record()
            if record is not None:
                _undo(record)
        finally:
            os.close(self._lock)
            self._lock = None


def _check_programs() -> None:
    if os.geteuid() != 0:
        raise ServersError("a cluster with a node needs root (sudo): it makes a network and "
                           "containers. Only the API server alone does without (api_only)")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if not (PLUGINS / "bridge").exists():
        missing.append(str(PLUGINS))
    if missing:
        raise ServersError(f"not installed: {', '.join(missing)}: run `make packages`")


def _take_lock() -> int:
    descriptor = os.open(_RECORD, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        other = _read_record()
        where = f", of process {other.pid} in {other.folder}" if other is not None else ""
        raise ServersError(f"another cluster runs on this machine{where}: there is place for one, "
                           "because of its network; wait for its end, or end it") from error
    return descriptor


def _check_alone() -> None:
    """There may be a Kubernetes here that is not ours; its rules must not be touched."""
    taken = [bridge for bridge in (_NODE_BRIDGE, POD_BRIDGE)
             if Path("/sys/class/net", bridge).exists()]
    if _rules("iptables"):
        taken.append("KUBE- in iptables-save")
    if taken:
        raise ServersError("a Kubernetes that is not ours is on this machine: there is "
                           f"{', '.join(taken)}. Use another machine, or take it away")


def _read_record() -> _Record | None:
    text = _RECORD.read_text(encoding="utf-8")
    return _Record(**json.loads(text)) if text else None


def _write_record(text: str) -> None:
    """In place: the lock is on this very file."""
    _RECORD.write_text(text, encoding="utf-8")


def _settings() -> Iterator[tuple[str, str]]:
    for setting in _SETTINGS:
        with contextlib.suppress(FileNotFoundError):  # not every kernel has all
            yield setting, (Path("/proc/sys") / setting).read_text(encoding="ascii").strip()


def _undo(record: _Record) -> None:
    folder = Path(record.folder)
    _kill_pods(folder)
    _unmount(folder)
    _remove_links()
    for family in ("iptables", "ip6tables"):
        _remove_rules(family)
    _remove_tables(record.tables)
    _remove_traces(folder)
    for made in record.made:
        shutil.rmtree(made, ignore_errors=True)
    for setting, value in record.settings.items():
        (Path("/proc/sys") / setting).write_text(value, encoding="ascii")
    _write_record("")


def _kill_pods(folder: Path) -> None:
    """Shims first, lest they clean up what is about to go, and all that they started; then what is
    in the containers' cgroups, which have the names of their containers."""
    containers = [path.name for path in folder.glob("containerd/state/*.task/k8s.io/*")]
    cgroups = [cgroup for name in containers for pattern in (f"k8s.io/{name}", f"*/k8s.io/{name}")
               for cgroup in Path("/sys/fs/cgroup").glob(pattern)]
    members = [member for shim in _shims(folder) for member in proctree.tree(shim)]
    for cgroup in cgroups:
        for file in cgroup.rglob("cgroup.procs"):
            members += filter(None, map(proctree.read, map(int, file.read_text().split())))
    for member in members:
        proctree.send(member, signal.SIGKILL)
    wait_until(lambda: all(map(proctree.gone, members)), 30,
               lambda: f"outlive kill -9: {members}")
    for cgroup in cgroups:
        wait_until(lambda path=cgroup: _removed(path), 30,
                   lambda path=cgroup: f"{path} cannot be removed: which processes are in it?")
    for pattern in ("k8s.io", "*/k8s.io"):
        for shared in Path("/sys/fs/cgroup").glob(pattern):
            with contextlib.suppress(OSError):  # another containerd has containers there
                shared.rmdir()


def _shims(folder: Path) -> Iterator[proctree.Stat]:
    """Each holds a pod, and was told the address of its containerd."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_text(encoding="utf-8", errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        ours = any(word.startswith(f"{folder}/") for word in words)
        if ours and words[0].endswith("containerd-shim-runc-v2"):
            stat = proctree.read(int(entry.parent.name))
            if stat is not None:
                yield stat


def _removed(cgroup: Path) -> bool:
    """A cgroup stays busy for a moment after the end of its last process."""
    for path, _, _ in os.walk(cgroup, topdown=False):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError:
            return False
    return True


def _unmount(folder: Path) -> None:
    """The last one first. Network namespaces are among them."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    mounted = [line.split()[4] for line in lines]
    for place in reversed(mounted):
        if place.startswith(f"{folder}/"):
            wait_until(lambda path=place: execute(["umount", path])[0] == 0, 30,
                       lambda path=place: f"{path} cannot be unmounted: what uses it? (fuser -m)")


def _remove_links() -> None:
    listed = json.loads(run(["ip", "-json", "link", "show"]))
    ours = [link["ifname"] for link in listed if link.get("master") == POD_BRIDGE]
    ours += [link["ifname"] for link in listed if link["ifname"] in (_NODE_BRIDGE, POD_BRIDGE)]
    for name in ours:
        code, output = execute(["ip", "link", "delete", name])
        if code != 0 and "Cannot find device" not in output:  # it goes with its namespace, too
            raise ServersError(f"{output}\nlink {name} cannot be deleted")


def _rules(family: str) -> dict[str, list[str]]:
    """By table: the lines of `iptables-save` about the chains of a Kubernetes proxy."""
    tables: dict[str, list[str]] = {}
    table = ""
    # Its warnings, about tables made by other means, go to the other stream.
    saved = subprocess.run([f"{family}-save"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           text=True, check=False).stdout
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        elif "KUBE-" in line and line.startswith((":", "-A")):
            tables.setdefault(table, []).append(line)
    return tables


def _remove_rules(family: str) -> None:
    """All chains of the proxy, and the rules that lead to them: at once, or not at all. Its own
    --cleanup leaves some."""
    for table, lines in _rules(family).items():
        chains = [line[1:].split()[0] for line in lines if line.startswith(":")]
        leading = [line for line in lines
                   if line.startswith("-A") and line.split()[1] not in chains]
        commands = [table, *(line.replace("-A", "-D", 1) for line in leading),
                    *(f"-F {chain}" for chain in chains), *(f"-X {chain}" for chain in chains),
                    "COMMIT", ""]
        run([f"{family}-restore", "--noflush"], stdin="\n".join(commands))


def _tables() -> list[str]:
    """Those of the kernel's rules, as "ip nat"."""
    listed = json.loads(run(["nft", "--json", "list", "tables"]))["nftables"]
    return [f"{entry['table']['family']} {entry['table']['name']}" for entry in listed
            if "table" in entry]


def _remove_tables(before: list[str]) -> None:
    """Ours, and the new ones that are empty: they cost every connection some time, also on
    loopback."""
    for table in set(_tables()) - set(before):
        listed = json.loads(run(["nft", "--json", "list", "table", *table.split()]))["nftables"]
        if table == _REFUSALS or not any("rule" in entry for entry in listed):
            run(["nft", "delete", "table", *table.split()])


def _remove_traces(folder: Path) -> None:
    """Small files in folders that others may use as well."""
    pods = folder.glob("containerd/root/io.containerd.grpc.v1.cri/sandboxes/*")
    for pod in pods:
        for result in _NETWORK_RESULTS.glob(f"*-{pod.name}-*"):
            result.unlink()
    for address in folder.glob("containerd/state/*.task/k8s.io/*/address"):
        socket = address.read_text(encoding="utf-8").removeprefix("unix://")
        Path(socket).unlink(missing_ok=True)
    for link in _LOG_LINKS.glob("*") if _LOG_LINKS.is_dir() else ():
        if link.is_symlink() and os.readlink(link).startswith(f"{folder}/"):
            link.unlink()
