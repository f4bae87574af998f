"""The two that are measured: our operator, and the smallest one of controller-runtime."""

import calendar
import re
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from e2e.harness.operator import Operator
from e2e.servers import Cluster, Process, ServersError, cache, golang, wait_until

PEER = golang.GoTools("peer", "0.22.4", {"peer": "."}, {}, lock="peer.lock",
                      place=Path(__file__).with_name("peer"))


@dataclass(frozen=True)
class Memory:
    """Resident, in bytes: of its own, and of files, which its programs and libraries are."""

    own: int
    files: int

    @property
    def all(self) -> int:
        return self.own + self.files


class Subject(ABC):
    name: str

    @abstractmethod
    def start(self) -> None:
        """Returns when it is launched."""

    @abstractmethod
    def kill(self) -> None: ...

    @abstractmethod
    def check(self) -> None:
        """Errors: it ended."""

    @property
    @abstractmethod
    def pid(self) -> int: ...

    @abstractmethod
    def stop(self) -> None:
        """Ends it in good order, so that another may lead at once."""

    @abstractmethod
    def starts(self) -> Iterator[tuple[float, str]]:
        """When it began to reconcile a SearchIndex because of an edit, and which: in that order."""

    def memory(self) -> Memory:
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        sizes = {key: 1024 * int(value) for key, value in re.findall(r"^(Rss\w+):\s+(\d+) kB$",
                                                                     text, re.MULTILINE)}
        return Memory(sizes["RssAnon"], sizes["RssFile"] + sizes["RssShmem"])

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    @abstractmethod
    def cpu_seconds(self) -> float: ...


class Ours(Subject):
    name = "searchsync"

    def __init__(self, cluster: Cluster, folder: Path, kubeconfig: Path, lease_namespace: str):
        self._folder = folder
        self.operator = Operator(cluster, folder, f"--lease-namespace={lease_namespace}",
                                 kubeconfig=kubeconfig, log_level="debug")

    def start(self) -> None:
        self.operator.start()

    def kill(self) -> None:
        self.operator.kill()

    def stop(self) -> None:
        self.operator.end()
        wait_until(lambda: not self.operator.running(), 30, lambda: "the operator does not end")

    def check(self) -> None:
        if not self.operator.running():
            raise ServersError(f"the operator ended: see {self._folder}")

    @property
    def pid(self) -> int:
        return self.operator.pid

    def starts(self) -> Iterator[tuple[float, str]]:
        for day, millis, key in re.findall(
                r"^(\S+)\.(\d{3})Z D \S+ index (\S+): begins for edit", self.operator.log(),
                re.MULTILINE):
            seconds = calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S"))
            yield seconds + int(millis) / 1e3, key

    def cpu_seconds(self) -> float:
        return self.operator.cpu_seconds()

    def rounds(self) -> float:
        """That it has made; without those it put off because more edits may follow."""
        return sum(self.operator.metric("controller_runtime_reconcile_total", f'result="{result}"')
                   for result in ("success", "error"))

    def planned(self) -> int:
        """How many SearchIndexes it has planned since its start."""
        _, text = self.operator.get("/metrics")
        return len(re.findall(r"^searchsync_index_generation\{", text, re.MULTILINE))


class Peer(Subject):
    name = "controller-runtime"

    def __init__(self, folder: Path, kubeconfig: Path, lease_namespace: str):
        folder.mkdir(parents=True)
        self._process = Process("peer", [
            str(cache.get(PEER) / "peer"), f"--kubeconfig={kubeconfig}",
            f"--lease-namespace={lease_namespace}"], folder / "peer.log")

    def start(self) -> None:
        self._process.start()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        self._process.stop()

    def check(self) -> None:
        if not self._process.running():
            raise ServersError(f"{self._process.tail()}\nthe peer ended")

    @property
    def pid(self) -> int:
        return self._process.pid

    def starts(self) -> Iterator[tuple[float, str]]:
        text = self._process.log.read_text(encoding="utf-8")
        for micros, key in re.findall(r"^(\d+) SearchIndex (\S+)$", text, re.MULTILINE):
            yield int(micros) / 1e6, key

    def cpu_seconds(self) -> float:
        return self._process.cpu_seconds()
