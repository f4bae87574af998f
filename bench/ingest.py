"""Measures `searchsync ingest` beside the bare producer that it uses, on one Kafka:
`/usr/bin/python3 -m bench.ingest`.

One run, one machine, everything on it, the senders too: ratios mean more than numbers. See
bench/README.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.harness.product import BINARY, text_of
from e2e.servers import Process, ServersError, Stack, proctree, wait_until

from .tool import say, show, table

_BENCH = BINARY.parent / "ingest_bench"
_TOPIC = "bench-events"
_PARTITIONS = 8


def main() -> int:
    options = _parser().parse_args()
    return show(lambda: _run(options))


def _run(options: argparse.Namespace) -> str:
    with Stack(parts=("kafka",), jit=True) as stack:
        stack.kafka.create_topic(_TOPIC, _PARTITIONS, {"retention.bytes": str(64 << 20)})
        with Ingest(stack, stack.run_dir / "ingest") as ingest:
            return _measure(options, stack, ingest)


class Ingest:
    """`searchsync ingest` for one binding, as a context manager."""

    def __init__(self, stack: Stack, folder: Path):
        folder.mkdir()
        config = folder / "config.json"
        config.write_text(json.dumps(_config(stack.kafka.address)), encoding="utf-8")
        self._address = folder / "address"
        self._process = Process("ingest", [
            str(BINARY), "ingest", "--config", str(config), "--address-file", str(self._address)],
            folder / "ingest.log")

    def __enter__(self) -> "Ingest":
        self._process.start()
        wait_until(self._ready, 60, self._process.tail)
        return self

    def __exit__(self, *error) -> None:
        self._process.stop()

    @property
    def events(self) -> str:
        """HOST:PORT."""
        return self._address.read_text(encoding="ascii").splitlines()[1]

    def cpu_seconds(self) -> float:
        return proctree.cpu_seconds(self._members())

    def rss_bytes(self) -> int:
        return proctree.rss_bytes(self._members())

    def _members(self) -> list[proctree.Stat]:
        stat = proctree.read(self._process.pid)
        return [stat] if stat is not None else []

    def _ready(self) -> bool:
        try:
            operations = self._address.read_text(encoding="ascii").splitlines()[0]
            return text_of(operations, "/readyz")[0] == 200
        except (OSError, IndexError):
            return False


def _config(brokers: str) -> dict[str, Any]:
    columns = [{"name": name, "required": name != "event_id"}
               for name in ("event_id", "user_id", "product_id", "store_id", "event_type")]
    return {"name": "events", "kafka": {"bootstrapServers": [brokers]},
            "ingest": {"connections": 1024},
            "bindings": [{"name": "event", "key": ["event_id"], "source": {
                "paths": ["/events"], "eventId": "event_id", "timestamp": "timestamp",
                "columns": [*columns, {"name": "timestamp", "type": "Timestamp"}],
                "partitionKey": ["user_id"], "topic": {"name": _TOPIC}}}]}


def _measure(options: argparse.Namespace, stack: Stack, ingest: Ingest) -> str:
    rows = [("", "events/s", "p50 ms", "p95 ms", "p99 ms", "refused", "ingest CPU µs/event",
             "Kafka CPU µs/event", "sender CPU µs/event")]

    def run(name: str, *arguments: object) -> None:
        say(name)
        before = ingest.cpu_seconds(), stack.kafka.cpu_seconds()
        done = subprocess.run([str(_BENCH), *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise ServersError(f"{name}: {done.stderr[-1000:]}")
        used = ingest.cpu_seconds() - before[0], stack.kafka.cpu_seconds() - before[1]
        result = json.loads(done.stdout)
        events = max(1, result["events"])
        micros = [f"{1e6 * seconds / events:.1f}" for seconds in (*used, result["cpuSeconds"])]
        rows.append((name, f"{result['perSecond']:,}", *(
            f"{result[key]:.1f}" for key in ("p50Ms", "p95Ms", "p99Ms")),
            str(result["failures"]), *micros))

    def post(name: str, connections: int, batch: int, rate: int | None = None) -> None:
        run(name, "post", ingest.events, "/events?receipts=all", connections, batch,
            options.seconds, *([rate] if rate else []))

    produce = ("produce", stack.kafka.address, _TOPIC)
    run("(warm up)", *produce, 100_000)
    post("(warm up)", 8, 500)
    del rows[1:]
    run("bare producer", *produce, options.events)
    for batch in (100, 1000):
        post(f"batches of {batch}, 8 connections", 8, batch)
    for rate in options.rates:
        post(f"batches of 500, {rate:,} events/s asked for, 16 connections", 16, 500, rate)
    for connections in (1, 64, 256):
        post(f"single events, {connections} connections", connections, 1)
    run("bare producer, again", *produce, options.events)
    return f"{table(rows)}\n\ningest: {ingest.rss_bytes() / 2**20:.0f} MB resident"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    parser.add_argument("--events", type=int, default=1_000_000, help="of the bare producer")
    parser.add_argument("--rates", type=int, nargs="*", default=[25_000, 50_000],
                        help="events a second to ask for")
    return parser


if __name__ == "__main__":
    sys.exit(main())
