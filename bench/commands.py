"""Measures commands over HTTP beside pgbench that calls the same functions, and reads that wait for
what they wrote: `/usr/bin/python3 -m bench.commands`.

One run, one machine, everything on it, the senders too: ratios mean more than numbers. See
bench/README.md.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from e2e.harness.product import BINARY, SearchSync
from e2e.harness.widgets import INDEX, ROLE, Client, declare_widgets
from e2e.servers import ServersError, Stack

from .tool import percentile, say, show, table

_BENCH = BINARY.parent / "command_bench"
_SECONDS = 120
# As command_bench has it, of other widgets.
_SCRIPTS = {
    "add": """\\set k :k + 1
SELECT widgets.add_widget('sql-' || :client_id || '-' || :k, 'bench', '{P,Q}');
""",
    "associate": """\\set k :k + 2
SELECT widgets.associate_widgets('sql-' || :client_id || '-' || (:k - 1),
                                 'sql-' || :client_id || '-' || :k, 'P');
"""}


def main() -> int:
    options = _parser().parse_args()
    return show(lambda: _run(options))


def _run(options: argparse.Namespace) -> str:
    with Stack(jit=True) as stack:
        resources = stack.run_dir / "resources"
        declare_widgets(stack, resources, {
            "connections: 8": f"connections: {max(options.connections)}"})
        if options.fsync:
            stack.postgres.execute("ALTER SYSTEM SET fsync = on")
            stack.postgres.execute("SELECT pg_reload_conf()")
        with SearchSync(resources, stack.run_dir / "product") as product:
            product.wait_served(INDEX, _SECONDS)
            reads = _reads(options, product)
            commands = _commands(options, stack, product)
    return "\n\n".join((commands, reads))


def _commands(options: argparse.Namespace, stack: Stack, product: SearchSync) -> str:
    """Capture and workers are paused meanwhile: this is about what is in front of the database."""
    rows = [("", "connections", "commands/s", "of pgbench", "p50 ms", "p99 ms", "refused",
             "query CPU µs each", "PostgreSQL CPU µs each")]
    address = product.wait_ready("query").address
    with _paused(product):
        for number in options.connections:
            for kind, commands in (("add", 2 * options.commands), ("associate", options.commands)):
                direct = _pgbench(stack, product, kind, number, commands // number)
                served = _http(stack, product, kind, number, commands // number, address)
                for name, one in (("pgbench", direct), ("HTTP", served)):
                    share = one["perSecond"] / direct["perSecond"]
                    rows.append((f"{kind}, {name}", str(number), f"{one['perSecond']:,.0f}",
                                 f"{share:.0%}", f"{one['p50Ms']:.2f}", f"{one['p99Ms']:.2f}",
                                 str(one["failures"]), *(f"{micros:.0f}" for micros in one["cpu"])))
                _empty(stack, kind)
    return table(rows)


def _pgbench(stack: Stack, product: SearchSync, kind: str, connections: int,
             commands: int) -> dict:
    say(f"pgbench: {kind}, {connections} connections")
    folder = stack.run_dir / f"pgbench-{kind}-{connections}"
    folder.mkdir()
    (folder / "script.sql").write_text(_SCRIPTS[kind], encoding="utf-8")
    before = _cpu(stack, product)
    done = _checked([
        "pgbench", "--no-vacuum", "--protocol=simple", f"--client={connections}",
        f"--jobs={min(connections, 2)}", f"--transactions={commands}", "--define=k=0", "--log",
        f"--log-prefix={folder}/log", f"--file={folder}/script.sql",
        stack.postgres.uri("widgets", ROLE)], folder)
    latencies = [int(line.split()[2]) / 1000 for path in folder.glob("log.*")
                 for line in path.read_text(encoding="ascii").splitlines()]
    rate = re.search(r"tps = ([\d.]+) \(without initial", done)
    if rate is None or len(latencies) != commands * connections:
        raise ServersError(f"pgbench did {len(latencies)} of {commands * connections}: {done}")
    return {"perSecond": float(rate[1]), "p50Ms": percentile(latencies, 50),
            "p99Ms": percentile(latencies, 99), "failures": 0,
            "cpu": _each(before, _cpu(stack, product), len(latencies))}


def _http(stack: Stack, product: SearchSync, kind: str, connections: int, commands: int,
          address: str) -> dict:
    say(f"HTTP: {kind}, {connections} connections")
    before = _cpu(stack, product)
    result = json.loads(_checked(
        [str(_BENCH), kind, address, str(connections), str(commands)], stack.run_dir))
    return {**result, "cpu": _each(before, _cpu(stack, product), result["events"])}


def _checked(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        raise ServersError(f"{command[0]}: {done.stderr[-1000:]}")
    return done.stdout


def _cpu(stack: Stack, product: SearchSync) -> tuple[float, float]:
    return (sum(child.cpu_seconds() for child in product.children("query")),
            stack.postgres.cpu_seconds())


def _each(before: tuple[float, float], after: tuple[float, float], count: int) -> list[float]:
    return [1e6 * (now - then) / max(1, count) for then, now in zip(before, after)]


def _empty(stack: Stack, kind: str) -> None:
    """Once both kinds have run, so that all begin with the same tables."""
    if kind == "associate":
        stack.postgres.execute("TRUNCATE widgets.widgets CASCADE", database="widgets")


@contextlib.contextmanager
def _paused(product: SearchSync):
    paused = [*product.children("capture"), *product.children("worker")]
    for child in paused:
        child.pause()
    try:
        yield
    finally:
        for child in paused:
            child.resume()


def _reads(options: argparse.Namespace, product: SearchSync) -> str:
    """A widget is added and then searched for, with the token, by each connection in turn."""
    rows = [("added, then read with the token", "reads/s", "p50 ms", "p95 ms", "p99 ms", "missed")]
    address = product.wait_ready("query").address
    for number in (1, 8, 64):
        say(f"reads that wait, {number} connections")
        latencies: list[float] = []
        missed: list[str] = []
        began = time.monotonic()
        threads = [threading.Thread(target=_read_own, args=(
            address, f"read-{number}-{one}", options.reads // number, latencies, missed))
            for one in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows.append((f"{number} connections", f"{len(latencies) / (time.monotonic() - began):.0f}",
                     *(f"{percentile(latencies, percent):.0f}" for percent in (50, 95, 99)),
                     str(len(missed))))
    return table(rows)


def _read_own(address: str, prefix: str, tries: int, latencies: list[float],
              missed: list[str]) -> None:
    client = Client(address)
    for number in range(tries):
        serial = f"{prefix}-{number}"
        status, answer, token = client.call("add_widget", serial=serial, name="bench",
                                            ports=["P", "Q"])
        if status != 200:
            missed.append(f"{status} {answer}")
            continue
        began = time.perf_counter()
        reached, found = client.find(serial, token)
        latencies.append(1000 * (time.perf_counter() - began))
        if not reached or len(found) != 1:
            missed.append(f"{serial}: {found}")
    client.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench.commands", description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000,
                        help="of each kind; of add, twice as many")
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--reads", type=int, default=1_000, help="with a token, of each row")
    parser.add_argument("--fsync", action="store_true", help="PostgreSQL waits for its disk")
    return parser


if __name__ == "__main__":
    sys.exit(main())
