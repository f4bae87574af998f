"""What the demonstrations have in common: how progress, answers and times are shown."""

import json
import os
import signal
import time
from typing import Callable

from e2e.harness import BINARY, SearchSync, engine
from e2e.servers import ServersError, Stack

_SERVED_SECONDS = 180
_SEEN_SECONDS = 30
_LONG = 120  # characters of a text that are shown


def say(line: str) -> None:
    print(line, flush=True)


def pretty(value) -> str:
    """As JSON, with long texts cut."""
    return json.dumps(_cut(value), indent=2, ensure_ascii=False)


def _cut(value):
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_LONG]}... ({len(value)} characters)"
    return value


def wait_served(stack: Stack, product: SearchSync, index: str) -> None:
    """Shows how the first load goes on: each phase, and once a second what else has changed."""
    began, phase, shown, due = time.monotonic(), "", "", 0.0

    def served() -> bool:
        nonlocal phase, shown, due
        status = product.index(index)
        documents = engine.writes(stack.search, f"{index}-*")
        line = f"{status['phase']}: {documents:,} documents written, lag {status['lagRecords']}"
        now = time.monotonic()
        if status["phase"] != phase or (line != shown and now >= due):
            phase, shown, due = status["phase"], line, now + 1
            say(f"{now - began:5.1f} s  {line}")
        return phase == "Serving"
    product.wait("complete index behind the alias", served, _SERVED_SECONDS)


def milliseconds_until(condition: Callable[[], bool], since: float) -> float:
    """Until the condition holds. since: of time.monotonic()."""
    while not condition():
        if time.monotonic() > since + _SEEN_SECONDS:
            raise ServersError(f"the change is not there after {_SEEN_SECONDS} s")
    return 1000 * (time.monotonic() - since)


def stay(product: SearchSync, commands: str) -> None:
    """Until Ctrl-C, with commands to try; not at all with DEMO_EXIT=1."""
    if os.environ.get("DEMO_EXIT") == "1":
        return
    say(f"""
All of it stays up until Ctrl-C. In another terminal, here:

  {os.path.relpath(BINARY)} status {product.resources} --state-dir {product.state_dir}
{commands}

resources {product.resources}
log       {product.log}""")
    while product.running():
        signal.sigtimedwait((), 1)  # a second, or until Ctrl-C
    raise ServersError(f"searchsync ended: see {product.log}")
