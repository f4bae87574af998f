#!/usr/bin/python3
"""Fills the tables of widgets, and keeps changing them by commands over HTTP.

    generate.py load    --uri postgresql://postgres:...@localhost:5432/widgets --widgets 20000
    generate.py changes --query http://localhost:PORT --rate 50 [--count 1000]

The default of --uri uses psql's own variables (PGHOST, PGUSER, ...). --seed makes a history
repeatable. A widget has one to three slots, two on average, and half of those that can be are taken.
"""

import argparse
import collections
import contextlib
import http.client
import json
import random
import time
import urllib.parse

import psycopg2

# Serials go on behind those that are there, so that it can be done again.
_LOAD = (
    "SELECT setseed(%(seed)s)",
    """CREATE TEMPORARY TABLE added ON COMMIT DROP AS
       SELECT row_number() OVER () + (SELECT count(*) FROM widgets.widgets) AS number,
              (ARRAY['pump','valve','gauge','motor','lamp','relay'])[1 + floor(random() * 6)::int]
                AS name,
              1 + floor(random() * 3)::int AS slots
       FROM generate_series(1, %(widgets)s)""",
    """INSERT INTO widgets.widgets (serial, name)
       SELECT 'load-' || number, name || ' ' || number FROM added""",
    """INSERT INTO widgets.slots (widget_id, port)
       SELECT w.id, (ARRAY['P','Q','R'])[1 + floor(random() * 3)::int]::widgets.port_type
       FROM added a JOIN widgets.widgets w ON w.serial = 'load-' || a.number
       CROSS JOIN LATERAL generate_series(1, a.slots)""",
    # One free slot of each widget and port type, in random order: neighbours take each other.
    """CREATE TEMPORARY TABLE pairs ON COMMIT DROP AS
       SELECT id, widget_id, port, row_number() OVER (PARTITION BY port ORDER BY random()) AS place
       FROM (SELECT DISTINCT ON (s.widget_id, s.port) s.* FROM widgets.slots s
             JOIN widgets.widgets w ON w.id = s.widget_id
             JOIN added a ON w.serial = 'load-' || a.number) AS one
       WHERE random() < 0.5""",
    """UPDATE widgets.slots s SET peer_id = peer.widget_id
       FROM pairs one JOIN pairs peer ON peer.port = one.port
         AND peer.place = CASE WHEN one.place %% 2 = 1 THEN one.place + 1 ELSE one.place - 1 END
       WHERE s.id = one.id""",
)


class Changes:
    """Commands on widgets of its own, one after the other."""

    def __init__(self, address: str, seed: int):
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
        self._dice = random.Random(seed)
        self._prefix = f"change-{seed}"
        self._added = 0
        self._serials: list[str] = []
        self.counts: collections.Counter = collections.Counter()

    def once(self) -> None:
        function = self._dice.choices(
            ("add_widget", "associate_widgets", "remove_association", "remove_widget"),
            (4, 6, 2, 1))[0]
        if len(self._serials) < 10:
            function = "add_widget"
        if function == "add_widget":
            self._added += 1
            serial = f"{self._prefix}-{self._added}"
            self._serials.append(serial)
            self._call(function, serial=serial, name=f"widget {self._added}",
                       ports=self._dice.choices("PQR", k=self._dice.randint(1, 3)))
        elif function == "remove_widget":
            self._call(function, serial=self._serials.pop(
                self._dice.randrange(len(self._serials))))
        else:
            serial, peer = self._dice.sample(self._serials, 2)
            self._call(function, serial=serial, peer=peer, port=self._dice.choice("PQR"))

    def _call(self, function: str, **arguments) -> None:
        self._connection.request("POST", f"/rpc/{function}", json.dumps(arguments))
        answer = self._connection.getresponse()
        text = answer.read()
        # A slot may be taken, or not there, two may be associated already, or not.
        if answer.status not in (200, 204, 404, 409):
            raise SystemExit(f"{function} {arguments}: {answer.status} {text.decode()}")
        self.counts[f"{function}: {'done' if answer.status < 300 else 'refused'}"] += 1


def load(uri: str, widgets: int, seed: int) -> None:
    """In one transaction."""
    with contextlib.closing(psycopg2.connect(uri)) as connection, connection, \
            connection.cursor() as cursor:
        for statement in _LOAD:
            cursor.execute(statement, {"widgets": widgets, "seed": (seed % 2000) / 1000 - 1})
        print(f"{widgets:8} widgets\n{cursor.rowcount:8} slots taken")


def change(address: str, seed: int, rate: float, count: int | None) -> None:
    changes = Changes(address, seed)
    began = time.monotonic()
    done = 0
    with contextlib.suppress(KeyboardInterrupt):
        while count is None or done < count:
            changes.once()
            done += 1
            time.sleep(max(0.0, began + done / rate - time.monotonic()))
    for name, number in changes.counts.most_common():
        print(f"{number:8} {name}")


def main() -> None:
    options = _parser().parse_args()
    print(f"seed {options.seed}")
    if options.command == "load":
        load(options.uri, options.widgets, options.seed)
    else:
        change(options.query, options.seed, options.rate, options.count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("load", "changes"))
    parser.add_argument("--uri", default="dbname=widgets", help="of PostgreSQL")
    parser.add_argument("--query", help="the address of the query service")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--widgets", type=int, default=20_000, help="widgets to load")
    parser.add_argument("--rate", type=float, default=50, help="commands a second")
    parser.add_argument("--count", type=int, help="commands to send; without end if not given")
    return parser


if __name__ == "__main__":
    main()
