"""Measures `searchsync aggregate`: its core alone, and the process on a real Kafka:
`/usr/bin/python3 -m bench.aggregate`.

Events per second of its own CPU time, and its memory. See bench/README.md.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from e2e.harness.product import BINARY, text_of
from e2e.servers import Process, ServersError, Stack, proctree, wait_until

from .tool import say, show, table

_CORE = BINARY.parent / "aggregate_bench"
_PRODUCE = BINARY.parent / "ingest_bench"
_CASES = 4
_TOPIC = "bench-events"
_PARTITIONS = 4


def main() -> int:
    options = _parser().parse_args()
    code = show(lambda: _core(options))
    if code == 0 and options.kafka_events > 0:
        code = show(lambda: _on_kafka(options.kafka_events))
    return code


def _core(options: argparse.Namespace) -> str:
    rows = [("core alone", "events a CPU second", "rows an event", "bytes a row", "resident MB",
             "on disk MB")]
    for case in range(1, _CASES + 1):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            result = json.loads(_run(_CORE, case, options.events, options.groups,
                                     f"{folder}/state"))
        say(result["name"])
        rows.append((result["name"], f"{result['perCpuSecond']:,}", str(result["rowsPerEvent"]),
                     str(result["rowBytes"]), str(result["rssMb"]), str(result["diskMb"])))
    return f"{options.events:,} events of {options.groups:,} groups\n\n{table(rows)}\n"


class Aggregate:
    """`searchsync aggregate` for one binding, as a context manager; it waits for its table."""

    def __init__(self, stack: Stack, folder: Path):
        folder.mkdir()
        config = folder / "config.json"
        config.write_text(json.dumps(_config(stack.kafka.address)), encoding="utf-8")
        self._kafka = stack.kafka
        self._address = folder / "address"
        self._process = Process("aggregate", [
            str(BINARY), "aggregate", "--config", str(config), "--state-dir", str(folder / "state"),
            "--instance", "bench", "--address-file", str(self._address)], folder / "aggregate.log")

    def __enter__(self) -> "Aggregate":
        self._process.start()
        return self

    def __exit__(self, *error) -> None:
        self._process.stop()

    def make_table(self) -> None:
        """Which one that is, the process says."""
        found: list[str] = []

        def named() -> bool:
            found[:] = re.findall(r"there is no topic ([\w.-]+)", self._get("/readyz"))
            return bool(found)
        wait_until(named, 60, self._process.tail)
        self._kafka.create_topic(found[0], _PARTITIONS, {"cleanup.policy": "compact"})

    def metric(self, name: str) -> float:
        """Of all its series together."""
        return sum(float(value) for value in re.findall(
            rf"^{name}(?:\{{.*\}})? (\S+)$", self._get("/metrics"), re.MULTILINE))

    def wait(self, events: int) -> None:
        """Before the first row what is said to wait may be of a time before the first event."""
        wait_until(lambda: self.metric("searchsync_aggregate_events_total") >= events
                   and self.metric("searchsync_aggregate_rows_total") > 0
                   and self.metric("searchsync_aggregate_groups_waiting") == 0, 900,
                   self._process.tail)

    def members(self) -> list[proctree.Stat]:
        stat = proctree.read(self._process.pid)
        return [stat] if stat is not None else []

    def _get(self, path: str) -> str:
        try:
            return text_of(self._address.read_text(encoding="ascii").split()[0], path)[1]
        except (OSError, IndexError):
            return ""


def _config(brokers: str) -> dict[str, Any]:
    def of(kind: str) -> list[dict[str, Any]]:
        return [{"column": "event_type", "values": [kind]}]
    return {"name": "bench", "namespace": "default", "kafka": {"bootstrapServers": [brokers]},
            "bindings": [{
                "apiVersion": "searchsync.io/v1alpha1", "kind": "SourceBinding",
                "metadata": {"name": "user"},
                "spec": {"indexRef": {"name": "bench"}, "key": ["user_id"],
                         "source": {"kafka": {"topic": _TOPIC, "format": "Json"}},
                         "relation": {"root": {}}, "fields": [],
                         "aggregate": {"columns": [
                             {"name": "views", "where": of("view")},
                             {"name": "purchases", "where": of("purchase")}]}}}]}


def _on_kafka(events: int) -> str:
    with Stack(parts=("kafka",), jit=True) as stack:
        return _count(stack, events)


def _count(stack: Stack, events: int) -> str:
    stack.kafka.create_topic(_TOPIC, _PARTITIONS)
    say("producing")
    _run(_PRODUCE, "produce", stack.kafka.address, _TOPIC, events)
    with Aggregate(stack, stack.run_dir / "aggregate") as aggregate:
        aggregate.make_table()
        used = proctree.cpu_seconds(aggregate.members())
        began = time.monotonic()
        say("counting")
        aggregate.wait(events)
        seconds = time.monotonic() - began
        used = proctree.cpu_seconds(aggregate.members()) - used
        rows = aggregate.metric("searchsync_aggregate_rows_total")
        resident = proctree.rss_bytes(aggregate.members())
    return table([("on Kafka", "events a CPU second", "events a second", "rows", "resident MB"),
                  (f"{events:,} events of 10,000 groups", f"{events / used:,.0f}",
                   f"{events / seconds:,.0f}", f"{rows:,.0f}", f"{resident / 2**20:.0f}")])


def _run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise ServersError(f"{command}: {done.stderr[-1000:]}")
    return done.stdout


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench.aggregate", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000, help="of each case of the core")
    parser.add_argument("--groups", type=int, default=10_000_000, help="of the core's events")
    parser.add_argument("--kafka-events", type=int, default=3_000_000,
                        help="of the process; 0: only the core")
    parser.add_argument("--folder", type=Path, help="for the core's state: on which disk")
    return parser


if __name__ == "__main__":
    sys.exit(main())
