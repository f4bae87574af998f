#!/usr/bin/python3
"""Fills the screener's seven databases, and keeps changing them.

    generate.py schema  --uri postgresql://postgres:...@localhost:5432/{service}
    generate.py load    --uri ... --runs 20000
    generate.py changes --uri ... --rate 50 [--count 1000]

In --uri, {service} stands for each of: bug, mutation, test, image, project, workspace, user. The
default uses psql's own variables (PGHOST, PGUSER, ...). --seed makes a history repeatable.
"""

import argparse
import contextlib
import random

import psycopg2

from screener import SERVICES, Generator


def main() -> None:
    options = _parser().parse_args()
    print(f"seed {options.seed}")
    with contextlib.ExitStack() as stack:
        connections = {
            service: stack.enter_context(contextlib.closing(
                psycopg2.connect(options.uri.replace("{service}", service))))
            for service in SERVICES}
        generator = Generator(options.seed, connections)
        if options.command == "schema":
            generator.create_schema()
        elif options.command == "load":
            _report(generator.load(options.runs))
        else:
            generator.resume()
            with contextlib.suppress(KeyboardInterrupt):
                _report(generator.run(options.rate, options.count))


def _report(counts) -> None:
    for name, count in counts.most_common():
        print(f"{count:8} {name}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("schema", "load", "changes"))
    parser.add_argument("--uri", default="dbname={service}",
                        help="of PostgreSQL, with {service} in it")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--runs", type=int, default=20_000, help="test runs to load")
    parser.add_argument("--rate", type=float, default=50, help="changes a second")
    parser.add_argument("--count", type=int, help="changes to make; without end if not given")
    return parser


if __name__ == "__main__":
    main()
