"""The table that a run prints."""

from .declared import Declared
from .measure import Result
from .subjects import Memory


def table(declared: Declared, results: list[Result]) -> str:
    """Of several subjects, one a column."""
    rows = [
        ("until all is planned, s", [f"{one.planned:.1f}" for one in results]),
        ("  reconciliations a second", [_rate(one.rounds, one.planned) for one in results]),
        ("after a restart, nothing to do, s", [_known(one.again) for one in results]),
        ("  of that, SearchIndexes a second", [_rate(declared.indices, one.again_planning)
                                               for one in results]),
        ("edit until its reconciliation begins, ms", [""] * len(results)),
        *((f"  {name}, p50 / p99", [_percentiles(pick(one)) for one in results]) for name, pick in (
            ("from its answer", lambda one: one.from_answered),
            ("from when it is sent", lambda one: one.from_sent),
            ("the API server's answer alone", lambda one: one.answered))),
        ("edit until its status is about it, ms, p50 / p99",
         [_percentiles(one.observed) for one in results]),
        ("memory, MB resident: own + files", [_memory(one.memory) for one in results]),
        ("  with unrelated objects", [_memory(one.memory_after) for one in results]),
        ("  at most, while planning", [f"{one.peak / 1e6:.0f}" for one in results]),
        ("threads", [str(one.threads) for one in results]),
        ("idle, CPU % of one", [f"{100 * one.idle_cpu:.1f}" for one in results]),
        ("idle, requests a minute of the engine", [_minute(one.idle_engine, one)
                                                   for one in results]),
        ("idle, requests a minute of the API server", [""] * len(results)),
        *((f"  {what}", [_minute(one.idle_requests[what], one) for one in results])
          for what in sorted(set().union(*(one.idle_requests for one in results)))),
    ]
    head = (f"{declared.indices:,} SearchIndexes, {declared.bindings:,} SourceBindings, "
            f"{len(declared.namespaces)} namespaces")
    lines = [f"{head:<48}" + "".join(f"{one.name:>22}" for one in results)]
    lines += [f"{name:<48}" + "".join(f"{cell:>22}" for cell in cells) for name, cells in rows]
    return "\n".join(lines)


def _known(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds else "-"


def _rate(count: float, seconds: float) -> str:
    return f"{count / seconds:,.0f}" if count and seconds else "-"


def _minute(count: int, result: Result) -> str:
    return f"{60 * count / result.idle_seconds:.0f}"


def _memory(memory: Memory) -> str:
    return f"{memory.all / 1e6:.0f}: {memory.own / 1e6:.0f} + {memory.files / 1e6:.0f}"


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return " / ".join(f"{1e3 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]:.1f}"
                      for percent in (50, 99))
