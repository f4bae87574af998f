"""What every benchmark's command line does."""

import statistics
import sys
import time
from typing import Callable

from e2e.servers import ServersError


def show(measure: Callable[[], str | None]) -> int:
    """Prints what it returns, if anything. The exit code of the process."""
    try:
        table = measure()
    except ServersError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if table is not None:
        print(table)
    return 0


def say(line: str) -> None:
    """Progress, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def percentile(values: list[float], percent: int) -> float:
    """values: at least two."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def table(rows: list[tuple[str, ...]]) -> str:
    """As Markdown; the first row is the heading, and numbers stand in all columns but the first."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    return "\n".join(lines)
