"""Widgets: functions of the database called over HTTP, and reads that see what they wrote.

DEMO_WIDGETS is the number of widgets (20000).
"""

import collections
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from e2e.demo.show import pretty, say, stay, wait_served
from e2e.harness import SearchSync
from e2e.harness.widgets import EXAMPLE, INDEX, Client, declare_widgets
from e2e.servers import PARTS as ALL_PARTS
from e2e.servers import ServersError, Stack

PARTS = ALL_PARTS
WIDGETS = int(os.environ.get("DEMO_WIDGETS") or 20_000)

_RACERS = 64
_READS = 200


def show(stack: Stack) -> None:
    resources = stack.run_dir / "resources"
    declare_widgets(stack, resources)
    began = time.monotonic()
    subprocess.run([sys.executable, str(EXAMPLE / "generate.py"), "load", "--uri",
                    stack.postgres.uri("widgets"), "--widgets", str(WIDGETS), "--seed", "1"],
                   check=True)
    say(f"loaded in {time.monotonic() - began:.1f} s")
    with SearchSync(resources, stack.run_dir / "product") as product:
        say(f"searchsync runs {resources}; status: http://{product.address}/status")
        wait_served(stack, product, INDEX)
        address = product.wait_ready("query").address
        client = Client(address)
        _associate(client)
        _race(address, client)
        _read_own_writes(client)
        client.close()
        stay(product, _commands(stack, product, f"http://{address}"))


def _call(client: Client, function: str, **arguments) -> str:
    """The token."""
    status, answer, token = client.call(function, **arguments)
    if status not in (200, 204):
        raise ServersError(f"{function}: {status} {answer}")
    return token


def _find(client: Client, serial: str, token: str) -> dict:
    reached, found = client.find(serial, token)
    if not reached or len(found) != 1:
        raise ServersError(f"{serial}: {found}, with a token that was reached: {reached}")
    return found[0]


def _associate(client: Client) -> None:
    _call(client, "add_widget", serial="demo-1", name="first", ports=["P", "Q"])
    _call(client, "add_widget", serial="demo-2", name="second", ports=["P"])
    began = time.monotonic()
    token = _call(client, "associate_widgets", serial="demo-1", peer="demo-2", port="P")
    done = time.monotonic()
    both = [_find(client, serial, token) for serial in ("demo-1", "demo-2")]
    say(f"\nTwo widgets, and a command that associates them ({1000 * (done - began):.1f} ms). Two "
        f"searches with its token {token} see it on both, "
        f"{1000 * (time.monotonic() - done):.0f} ms later:\n{pretty(both)}")


def _race(address: str, client: Client) -> None:
    """For the one slot of a widget."""
    _call(client, "add_widget", serial="demo-wanted", name="", ports=["P"])
    racers = [f"demo-racer-{number}" for number in range(_RACERS)]
    for serial in racers:
        _call(client, "add_widget", serial=serial, name="", ports=["P"])

    def race(serial: str) -> tuple[int, str, str]:
        own = Client(address)
        status, _, token = own.call("associate_widgets", serial=serial, peer="demo-wanted",
                                    port="P")
        own.close()
        return status, serial, token

    with ThreadPoolExecutor(_RACERS) as pool:
        results = list(pool.map(race, racers))
    counts = collections.Counter(status for status, _, _ in results)
    winners = [(serial, token) for status, serial, token in results if status == 204]
    if len(winners) != 1 or set(counts) != {204, 409}:
        raise ServersError(f"a race for one slot: {dict(counts)}")
    winner, token = winners[0]
    peers = [slot["peer"] for slot in _find(client, "demo-wanted", token)["slots"]]
    if peers != [winner]:
        raise ServersError(f"{winner} took the slot, and {peers} have it")
    say(f"\n{_RACERS} connections want one slot at once: 1 gets it, {counts[409]} are told 409; "
        f"a search with the token of {winner} shows it there")


def _read_own_writes(client: Client) -> None:
    commands, reads = [], []
    for number in range(_READS):
        began = time.perf_counter()
        token = _call(client, "add_widget", serial=f"demo-own-{number}", name="", ports=["R"])
        done = time.perf_counter()
        _find(client, f"demo-own-{number}", token)
        commands.append(1000 * (done - began))
        reads.append(1000 * (time.perf_counter() - done))
    say(f"\n{_READS} widgets added, and each found by the search behind it: "
        f"{_times('commands', commands)}; {_times('searches that wait', reads)}")


def _times(what: str, millis: list[float]) -> str:
    cuts = statistics.quantiles(millis, n=20)
    return f"{what} p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms"


def _commands(stack: Stack, product: SearchSync, query: str) -> str:
    workers = " ".join(str(child.pid) for child in product.children("worker"))
    return f"""\
  curl -s http://{product.address}/status
  export QUERY={query}
  TOKEN=$(curl -s $QUERY/rpc/add_widget -d '{{"serial": "mine", "name": "", "ports": ["P"]}}' \\
    -o /dev/null -w '%header{{SearchSync-Token}}')
  curl -si "$QUERY/v1/widgets/documents?serial=mine" -H "SearchSync-Token: $TOKEN"
  curl -s $QUERY/rpc/associate_widgets -d '{{"serial": "mine", "peer": "demo-2", "port": "P"}}'    # 409: that slot is taken
  psql {stack.postgres.uri('widgets')} -c "SELECT * FROM widgets.slots ORDER BY id DESC LIMIT 5"
  /usr/bin/python3 examples/widgets/generate.py changes --query $QUERY --rate 50
  kill -9 {workers}    # the workers: meanwhile a search with a token says that it did not wait long enough"""
