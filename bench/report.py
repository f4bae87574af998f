"""The one table that a run prints."""

from dataclasses import dataclass, field

from .path import Latency, Run
from .raw import Rate
from .usage import ROLES, Usage

# Quoted, not measured by this run: PGSync 7.3 on OpenSearch 2.19, two cores, everything on one
# machine, a document joined from six tables of one database, 200,000 of them.
_PGSYNC = """\
  first load                         4,100 to 5,400 documents/s, 322 MB
  20k updates in 200 transactions    2,700 documents/s
  a random mix of single changes     58 to 96 changes/s
  a renamed team, 2,000 documents    0.9 to 1.3 s
  one row changed to visible         p50 129 ms, p95 142 ms (in its --wal mode 19 and 26)"""


@dataclass
class Results:
    documents: int
    seed: int
    engine: str = ""
    raw_small: Rate | None = None
    raw_same: Rate | None = None
    runs: list[Run] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    idle: Usage | None = None
    loaded: Usage | None = None
    worker: str = ""  # as worker_bench prints it

    def __str__(self) -> str:
        return "\n\n".join((self._head(), self._raw(), self._runs(), self._latencies(),
                            self._memory(), "the worker alone, into a sink that counts\n" + self.worker,
                            "PGSync, as published (see bench/README.md):\n"
                            + _PGSYNC))

    def _head(self) -> str:
        return (f"SearchSync on the screener, {self.documents:,} documents joined from seven "
                f"databases; {self.engine}; seed {self.seed}")

    def _raw(self) -> str:
        lines = ["raw _bulk, 2 connections, 5 MB bodies    documents/s   engine CPU µs/document"]
        for name, rate in (("  documents of 500 bytes", self.raw_small),
                           ("  the screener's documents", self.raw_same)):
            lines.append(f"{name:<40} {rate.per_second:>11,.0f} {rate.engine_micros:>24.0f}")
        return "\n".join(lines)

    def _runs(self) -> str:
        head = f"{'whole path':<34}{'count/s':>9}{'of raw':>8}   CPU µs each:"
        lines = [head + "".join(f"{role:>9}" for role in ROLES) + f"{'all':>9}"]
        for run in self.runs:
            ratio = f"{run.per_second / self.raw_same.per_second:.0%}" if run.of_documents else ""
            micros = [run.micros(role) for role in ROLES]
            lines.append(f"  {run.name:<32}{run.per_second:>9,.0f}{ratio:>8}{'':>15}"
                         + "".join(f"{value:>9.0f}" for value in (*micros, sum(micros))))
        return "\n".join(lines)

    def _latencies(self) -> str:
        lines = [f"{'latency, ms':<44}{'p50':>8}{'p95':>8}{'p99':>8}"]
        for latency in self.latencies:
            lines.append(f"  {latency.name:<42}" + "".join(
                f"{latency.percentile(percent):>8.0f}" for percent in (50, 95, 99)))
        return "\n".join(lines)

    def _memory(self) -> str:
        lines = [f"{'memory, MB resident':<34}" + "".join(f"{role:>9}" for role in ROLES)]
        for name, reading in (("idle", self.idle), ("after updates", self.loaded)):
            lines.append(f"  {name:<32}" + "".join(
                f"{reading.rss_bytes[role] / 1e6:>9.0f}" for role in ROLES))
        return "\n".join(lines)
