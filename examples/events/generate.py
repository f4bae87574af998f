"""Sends events of shops, without end: `generate.py http://HOST:PORT --rate 200`."""

import argparse
import datetime
import random
import time

from visits import make_batch, send

_BATCH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where events are taken: the status says it")
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--count", type=int, help="of events; without it, no end")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    began, sent = time.monotonic(), 0
    while arguments.count is None or sent < arguments.count:
        left = _BATCH if arguments.count is None else min(_BATCH, arguments.count - sent)
        send(arguments.url, make_batch(chance, datetime.datetime.now(datetime.timezone.utc), left))
        sent += left
        time.sleep(max(0.0, began + sent / arguments.rate - time.monotonic()))


if __name__ == "__main__":
    main()
