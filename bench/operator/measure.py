"""One subject at a time: how long until all is seen to, how soon an edit is, what it costs."""

import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from e2e.servers import wait_until

from . import requests
from .api import Api, Follower
from .declared import GROUP, Declared
from .subjects import Memory, Ours, Subject

_PLANNED_SECONDS = 300
_EDIT_PAUSE = (0.02, 0.06)
_MANAGED = "app.kubernetes.io/managed-by=searchsync"


@dataclass
class Result:
    """Of one subject. Times in seconds."""

    name: str
    planned: float = 0           # from its start until all is seen to
    rounds: float = 0            # until then
    again: float = 0             # after a restart, with nothing to do: from its start
    again_planning: float = 0    # of that: from the first that is planned to the last
    peak: int = 0                # of all its memory, until all was seen to
    memory: Memory = Memory(0, 0)
    memory_after: Memory = Memory(0, 0)  # with what is unrelated
    threads: int = 0
    idle_seconds: float = 0
    idle_cpu: float = 0          # of one CPU
    idle_requests: Counter[str] = field(default_factory=Counter)  # of the API server
    idle_engine: int = 0
    from_sent: list[float] = field(default_factory=list)      # edits: until it begins
    from_answered: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)       # until the API server has answered
    observed: list[float] = field(default_factory=list)       # until the status is about it


class Bench:
    """The API server and what is declared in it."""

    def __init__(self, api: Api, declared: Declared, audit: Path):
        self.api = api
        self.declared = declared
        self._audit = audit
        self._replicas = 1

    def see_to_all(self, subject: Subject, result: Result) -> None:
        """Starts it, and waits until it has seen to everything."""
        with ExitStack() as stack:
            followers = [(stack.enter_context(one), count) for one, count in self._ends(subject)]
            begun = time.time()
            subject.start()

            def check() -> None:
                subject.check()
                result.peak = max(result.peak, subject.memory().all)
            last = [one.wait(count, _PLANNED_SECONDS, check) for one, count in followers]
        result.planned = max(last) - begun
        if isinstance(subject, Ours):
            result.rounds = subject.rounds()

    def see_to_all_again(self, subject: Ours, result: Result) -> None:
        """The same when all is as it should be already."""
        subject.stop()
        begun = time.monotonic()
        subject.start()
        first: list[float] = []

        def planned() -> bool:
            count = subject.planned()
            if count > 0:
                first.append(time.monotonic())
            return count >= self.declared.indices
        wait_until(planned, _PLANNED_SECONDS, lambda: "not everything is planned again")
        result.again = time.monotonic() - begun
        result.again_planning = time.monotonic() - first[0]

    def _ends(self, subject: Subject) -> list[tuple[Follower, int]]:
        """What is there when all is seen to, and how many of it."""
        if isinstance(subject, Ours):
            deployed = [(Follower(self.api, f"/apis/apps/v1/{kind}", lambda one: True,
                                  selector=_MANAGED, whole=False), self.declared.indices)
                        for kind in ("statefulsets", "deployments")]
            index, binding = _is_serving, _is_running
        else:
            deployed, index, binding = [], _is_seen, _is_seen
        return [(Follower(self.api, f"{GROUP}/searchindices", index), self.declared.indices),
                (Follower(self.api, f"{GROUP}/sourcebindings", binding), self.declared.bindings),
                *deployed]

    def idle(self, subject: Subject, user: str, seconds: float, result: Result,
             engine_requests: Callable[[], int]) -> None:
        begun, cpu, engine = time.time(), subject.cpu_seconds(), engine_requests()
        time.sleep(seconds)
        result.idle_seconds = time.time() - begun
        result.idle_cpu = (subject.cpu_seconds() - cpu) / result.idle_seconds
        result.idle_engine = engine_requests() - engine
        result.idle_requests = requests.count(self._audit, user, begun)
        result.memory = subject.memory()
        result.threads = subject.threads()

    def edit(self, subject: Subject, count: int, result: Result) -> None:
        """One after the other, with pauses."""
        with Follower(self.api, f"{GROUP}/searchindices", _is_observed) as observed:
            sent = self._send_edits(count)
            starts = _wait_starts(subject, set(sent), min(at for at, _ in sent.values()))
            wait_until(lambda: all(observed.since.get(key, 0) > began
                                   for key, (began, _) in sent.items()), _PLANNED_SECONDS,
                       lambda: "the status of what was edited is not about the edits")
        for key, (began, answered) in sent.items():
            result.answered.append(answered - began)
            result.from_sent.append(starts[key] - began)
            result.from_answered.append(max(0.0, starts[key] - answered))
            result.observed.append(observed.since[key] - began)

    def _send_edits(self, count: int) -> dict[str, tuple[float, float]]:
        """When each was sent, and answered, by index."""
        rng = random.Random(1)
        self._replicas += 1
        sent: dict[str, tuple[float, float]] = {}
        for number in rng.sample(range(self.declared.indices), min(count, self.declared.indices)):
            began = time.time()
            self.api.merge(self.declared.path(number), {"spec": {"replicas": self._replicas}})
            sent[self.declared.key(number)] = began, time.time()
            time.sleep(rng.uniform(*_EDIT_PAUSE))
        return sent


def _wait_starts(subject: Subject, keys: set[str], since: float) -> dict[str, float]:
    """When it first began with each of them after that, in seconds since 1970."""
    found: dict[str, float] = {}

    def complete() -> bool:
        for at, key in subject.starts():
            if at >= since - 0.001 and key in keys:
                found.setdefault(key, at)
        return keys <= set(found)
    wait_until(complete, 30, lambda: f"edits it has not begun with: {sorted(keys - set(found))}")
    return found


def _status(one: dict[str, Any]) -> dict[str, Any]:
    return one.get("status", {})


def _is_observed(index: dict[str, Any]) -> bool:
    return _status(index).get("observedGeneration") == index["metadata"]["generation"]


def _is_serving(index: dict[str, Any]) -> bool:
    return _status(index).get("phase") == "Serving" and _is_observed(index)


def _is_running(binding: dict[str, Any]) -> bool:
    return _status(binding).get("state") == "Running"


def _is_seen(one: dict[str, Any]) -> bool:
    return _status(one).get("message") == "seen" and _is_observed(one)
