"""The whole path, from a commit in PostgreSQL to a document of the screener's index."""

import contextlib
import random
import time
from dataclasses import dataclass

from e2e.harness import SearchSync, engine
from e2e.harness.screener import INDEX, Screener
from e2e.harness.stream import Stream
from e2e.servers import ServersError

from . import usage
from .tool import percentile

_LOAD_SECONDS = 1800
_SEEN_SECONDS = 120
_POLL_SECONDS = 0.003  # a look costs the engine as much as a write does


@dataclass(frozen=True)
class Run:
    """So many documents, or changes, from the first to the last one indexed."""

    name: str
    count: int
    seconds: float
    cpu_seconds: dict[str, float]
    of_documents: bool = True  # False: of changes, each of which may touch many documents, or none

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    def micros(self, role: str) -> float:
        """Of CPU, for each."""
        return 1e6 * self.cpu_seconds[role] / self.count


@dataclass(frozen=True)
class Latency:
    name: str
    millis: list[float]

    def percentile(self, percent: int) -> float:
        return percentile(self.millis, percent)


class Path:
    def __init__(self, screener: Screener, product: SearchSync, rng: random.Random):
        self._screener = screener
        self._product = product
        self._stack = screener.stack
        self._rng = rng

    def load(self, runs: int) -> Run:
        """The first load, from searchsync's first answer to the last document. The clock covers the
        start of its child processes, but not the wait until a generation may be served."""
        began = time.monotonic()
        before = usage.read(self._stack, self._product)
        self._product.wait(f"{runs} documents", lambda: self._written() >= runs, _LOAD_SECONDS)
        self._stack.search.request("POST", f"/{INDEX}-*/_refresh")
        self._product.wait("last document of the load",
                           lambda: engine.count(self._stack.search, f"{INDEX}-*") >= runs,
                           _LOAD_SECONDS)
        seconds = time.monotonic() - began
        used = usage.read(self._stack, self._product).since(before)
        return Run(f"first load of {runs}", runs, seconds, used)

    def rebuild(self, runs: int) -> Run:
        """Another number of partitions: a new document log and index, from the topics that are
        there. From the edit to the last document, as load() does; by now nothing is cold."""
        index = self._screener.resources / "index.yaml"
        text = index.read_text(encoding="utf-8")
        before = usage.read(self._stack, self._product)
        old = {child.pid for child in self._product.children("worker")}
        began = time.monotonic()
        index.write_text(text.replace("partitions: 8", "partitions: 6"), encoding="utf-8")
        self._product.wait("a plan for other partitions", lambda: self._target() is not None,
                           _LOAD_SECONDS)
        target = self._target()
        self._product.wait(f"{runs} documents", lambda: engine.writes(
            self._stack.search, target) >= runs, _LOAD_SECONDS)
        seconds = time.monotonic() - began
        used = usage.read(self._stack, self._product).since(before)
        if old - {child.pid for child in self._product.children("worker")}:
            raise ServersError("a worker that was measured has gone")
        return Run(f"rebuild of {runs} from topics", runs, seconds, used)

    def wait_rebuilt(self) -> None:
        """Until it serves, and what was there before it is gone."""
        def alone() -> bool:
            names = {child.name for child in self._product.children("worker")}
            return (self._target() is None and self._product.index(INDEX)["phase"] == "Serving"
                    and len({name.rpartition("-")[0] for name in names}) == 1)
        self._product.wait("end of the old generation", alone, _LOAD_SECONDS)

    def _target(self) -> str | None:
        """What is being built beside the index in service."""
        status = self._product.index(INDEX)
        return status["desired"] if status["desired"] != status["alias"] else None

    def updates(self, transactions: int, rows: int) -> Run:
        """Single-column updates of runs, `rows` different ones in each transaction."""
        keys, written = self._some_runs(transactions * rows), self._written()
        before, began = usage.read(self._stack, self._product), time.monotonic()
        for start in range(0, len(keys), rows):
            with self._screener.generator.transaction("test") as transaction:
                for key in keys[start:start + rows]:
                    transaction.update("test_runs", key, status="BENCH")
        self._wait_found({"term": {"testStatus": "BENCH"}}, len(keys), written)
        seconds = time.monotonic() - began
        used = usage.read(self._stack, self._product).since(before)
        return Run(f"{len(keys)} updates in {transactions} transactions", len(keys), seconds, used)

    def mix(self, changes: int, per_second: float | None = None) -> Run:
        """The generator's random mix, until all is quiet: as fast as PostgreSQL takes it; or at a
        rate far below that, where nothing is saved by writing a document once for several changes.
        """
        before, began = usage.read(self._stack, self._product), time.monotonic()
        self._screener.generator.run(per_second or 1e9, changes)
        self._screener.wait_mark(self._product, _SEEN_SECONDS)
        seconds = time.monotonic() - began
        used = usage.read(self._stack, self._product).since(before)
        name = f", {per_second:.0f} changes/s" if per_second else f" of {changes} changes"
        return Run(f"random mix{name}", changes, seconds, used, of_documents=False)

    def rename_team(self) -> Run:
        """The team with the most runs, which is the first one, gets another name."""
        name, runs = f"renamed-{self._rng.getrandbits(32)}", self._count_runs_of_team(1)
        written = self._written()
        before, began = usage.read(self._stack, self._product), time.monotonic()
        self._stack.postgres.execute("UPDATE teams SET name = %s WHERE id = 1", [name], "user")
        self._wait_found({"term": {"ownerTeam": name}}, runs, written)
        seconds = time.monotonic() - began
        used = usage.read(self._stack, self._product).since(before)
        return Run(f"a renamed team of {runs} runs", runs, seconds, used)

    def idle_latency(self, probes: int) -> Latency:
        return Latency("change to indexed, idle", self._probe(probes))

    def loaded_latency(self, probes: int, load_per_second: float) -> Latency:
        """With the generator's random mix beside it."""
        with Stream(self._screener.generator, load_per_second) as changes:
            millis = self._probe(probes)
            changes.stop()
        return Latency(f"change to indexed, {load_per_second:.0f} changes/s", millis)

    def _probe(self, count: int) -> list[float]:
        """From the return of a commit to the document read by its id."""
        millis, search = [], engine.Connection(self._stack.search.address)
        with contextlib.closing(self._screener.connect("test")) as postgres:
            for number in range(count):
                mark = f"probe-{self._rng.getrandbits(48)}-{number}"
                postgres.cursor().execute(
                    "UPDATE test_runs SET test_name = %s WHERE id = 'marker'", [mark])
                committed = time.monotonic()
                self._wait_probe(search, mark, committed)
                millis.append(1000 * (time.monotonic() - committed))
        search.close()
        return millis

    def _wait_probe(self, connection: engine.Connection, mark: str, since: float) -> None:
        while time.monotonic() < since + _SEEN_SECONDS:
            status, answer = connection.request("GET", f"/{INDEX}/_doc/marker?_source=testName")
            if status == 200 and answer["_source"]["testName"] == mark:
                return
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{mark} was not indexed within {_SEEN_SECONDS} s")

    def _wait_found(self, query: dict, count: int, written: int) -> None:
        """Until that many documents match. Looks only when as many have been written since there
        were `written`, and refreshes then: the index's own refresh interval plays no part."""
        def found() -> bool:
            if self._written() < written + count:
                return False
            self._stack.search.request("POST", f"/{INDEX}/_refresh")
            _, answer = self._stack.search.request("POST", f"/{INDEX}/_count", {"query": query})
            return answer["count"] >= count
        self._product.wait(f"{count} documents of {query}", found, _SEEN_SECONDS)

    def _count_runs_of_team(self, team: int) -> int:
        owners = [row[0] for row in self._stack.postgres.execute(
            "SELECT id FROM owners WHERE team_id = %s", [team], "user")]
        return self._stack.postgres.execute(
            "SELECT count(*) FROM test_runs WHERE owner_id = ANY(%s)", [owners], "test")[0][0]

    def _some_runs(self, count: int) -> list[tuple]:
        keys = self._screener.generator.pools["test_runs"].keys()
        return self._rng.sample(keys, min(count, len(keys)))

    def _written(self) -> int:
        return engine.writes(self._stack.search, f"{INDEX}-*")
