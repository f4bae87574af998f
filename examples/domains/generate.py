#!/usr/bin/python3
"""Sends delivery events, and checks what has become of them.

    generate.py send  --events http://localhost:8081 --count 100000 [--domains 5000]
    generate.py check --query http://localhost:8082

`send` adds to a file what was acknowledged (--counted, counted.json); `check` compares it with each
domain's document, and waits until they are equal.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from deliveries import Deliveries, differences

_BATCH = 500


def main() -> int:
    options = _parser().parse_args()
    file = Path(options.counted)
    counted = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if options.command == "check":
        if not counted:
            print(f"{file} has no events: run `generate.py send` here, or name its file (--counted)")
            return 1
        return _check(options.query, counted, options.seconds)
    # Domains of its own at each call: nobody else's events are theirs.
    sender = random.randrange(2**32)
    deliveries = Deliveries(options.events, options.domains, options.seed, sender)
    began = time.monotonic()
    try:
        while deliveries.sent < options.count:
            deliveries.send(min(_BATCH, options.count - deliveries.sent))
    finally:
        file.write_text(json.dumps(counted | deliveries.fold), encoding="utf-8")
    seconds = time.monotonic() - began
    print(f"{deliveries.sent:,} events of {len(deliveries.fold):,} domains in {seconds:.1f} s, "
          f"{deliveries.again:,} of them sent twice")
    return 0


def _check(query: str, counted: dict, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while wrong := differences(query, counted):
        if time.monotonic() > deadline:
            print("\n".join(wrong[:10]))
            print(f"{len(wrong):,} of {len(counted):,} domains differ")
            return 1
        time.sleep(0.5)
    print(f"all {len(counted):,} domains are as they were counted")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("send", "check"))
    parser.add_argument("--events", default="http://localhost:8081", help="where events are taken")
    parser.add_argument("--query", default="http://localhost:8082", help="the query service")
    parser.add_argument("--count", type=int, default=100_000, help="events to send")
    parser.add_argument("--domains", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--counted", default="counted.json", help="what was acknowledged so far")
    parser.add_argument("--seconds", type=float, default=60, help="that a check may wait")
    return parser


if __name__ == "__main__":
    sys.exit(main())
