#!/usr/bin/python3
"""Fills the shop's database, and keeps changing it.

    generate.py schema  --uri postgresql://postgres:...@localhost:5432/shop
    generate.py load    --uri ... --rows 500
    generate.py changes --uri ... --rate 50 [--count 1000]

The default URI uses psql's own variables (PGHOST, PGUSER, ...). --seed makes a history repeatable.
"""

import argparse
import contextlib
import random
import time
from pathlib import Path

import psycopg2

SCHEMA = Path(__file__).parent / "schema.sql"
_WORDS = ("red blue green large small round wooden steel folding garden kitchen office travel "
          "lamp chair table shelf bottle knife tent bag clock mirror ünïcode \"quoted\" a\\b").split()
_LONG = 20_000  # characters: stored out of line, and not sent again when others change


class Generator:
    """Rows and changes from a seed. connection: used by this object alone, for one thread."""

    def __init__(self, seed: int, connection):
        self.rng = random.Random(seed)
        self.connection = connection
        connection.autocommit = True

    def create_schema(self) -> None:
        self._execute(SCHEMA.read_text(encoding="utf-8"))

    def load(self, rows: int) -> None:
        with self._transaction():
            for number in range(rows):
                self._user(number)
                self._product()
            for number in range(rows // 5):
                self._employee(number)
                self._desk()
        for _ in range(rows):
            with self._transaction():
                self._order()
                self._review()
                self._move()

    def run(self, rate: float, count: int | None = None, stop=lambda: False) -> int:
        """Transactions, so many a second; how many there were."""
        made = 0
        while (count is None or made < count) and not stop():
            began = time.monotonic()
            self.change()
            made += 1
            time.sleep(max(0.0, 1 / rate - (time.monotonic() - began)))
        return made

    def change(self) -> None:
        """One transaction of one to four changes; one in ten is rolled back."""
        changes = (self._order, self._review, self._move, self._product, self._change_user,
                   self._change_order, self._change_product, self._change_review, self._delete,
                   self._change_employee, self._change_key, self._desk)
        self._execute("BEGIN")
        for _ in range(self.rng.randint(1, 4)):
            self.rng.choice(changes)()
        self._execute("ROLLBACK" if self.rng.random() < 0.1 else "COMMIT")

    # Rows.

    def _user(self, number: int) -> None:
        rng = self.rng
        self._insert("users", id=number, name=self._words(2), active=rng.random() < 0.8,
                     email=None if rng.random() < 0.1 else f"u{number}.{rng.random()}@example.com",
                     country=rng.choice(("DE", "FR", "J", None)), born=self._date(),
                     score=rng.choice((rng.random() * 1e3, 1e-7, 1e21, None, float("nan"),
                                       float("-inf"))),
                     tags=[self._words(1) for _ in range(rng.randint(0, 3))],
                     settings=rng.choice(('{"theme": {"dark": true}, "n": 1.50}', "[1, null]", "5",
                                          "null", None)),
                     avatar=rng.choice((None, b"", rng.randbytes(rng.randint(1, 40)))))

    def _product(self) -> None:
        rng = self.rng
        self._insert("products", sku=f"sku-{rng.getrandbits(40):x}", title=self._words(3),
                     description=self._text(), price=f"{rng.randint(0, 10**6) / 100:.2f}",
                     weight=rng.choice((rng.random(), None, 1e30)),
                     box=rng.choice((None, f"({rng.randint(1, 99)},)")),
                     attributes=rng.choice(('{"b": 1,  "a": 2}', None)),
                     barcodes=rng.choice((None, "{}", "{1,NULL,9007199254740993}")),
                     released=rng.choice(("2024-02-29 12:30:00.123456", "infinity", None,
                                          "0044-03-15 00:00:00 BC")))

    def _order(self) -> None:
        rng = self.rng
        [(order,)] = self._execute(
            "INSERT INTO orders (id, user_id, state, total, placed_at, came_from, note) "
            "SELECT %s, (SELECT id FROM users ORDER BY hashint8(id # %s) LIMIT 1), "
            "%s::order_state, %s, %s, %s, %s RETURNING id",
            [f"{rng.getrandbits(128):032x}", rng.getrandbits(31), self._state(),
             f"{rng.randint(0, 40_000) / 100}", self._time(),
             rng.choice(("10.1.2.3", "10.0.0.0/8", "::1", None)), self._text()])
        for line in range(rng.randint(0, 3)):
            self._execute(
                "INSERT INTO order_items (order_id, line, sku, quantity, price) "
                "SELECT %s, %s, sku, %s, price %% 1000 FROM products ORDER BY hashtext(sku || %s) "
                "LIMIT 1", [order, line, rng.randint(1, 9), str(rng.random())])

    def _review(self) -> None:
        self._execute(
            "INSERT INTO reviews (user_id, sku, stars, body, written) SELECT u.id, p.sku, %s, %s, "
            "%s FROM (SELECT id FROM users ORDER BY hashint8(id # %s) LIMIT 1) u, "
            "(SELECT sku FROM products ORDER BY hashtext(sku || %s) LIMIT 1) p",
            [self.rng.randint(1, 5), self._text(), self._date(), self.rng.getrandbits(31),
             str(self.rng.random())])

    def _move(self) -> None:
        self._insert("stock_moves", moved_at=self._time(), sku=self._words(1),
                     moved=self.rng.randint(-9, 9))

    def _employee(self, number: int) -> None:
        rng = self.rng
        self._insert("staff.employees", id=number,
                     boss=rng.randrange(number) if number > 0 else None, name=self._words(2),
                     salary=f"{rng.randint(0, 9999)}.{rng.randint(10, 99)}",
                     shift_begins=rng.choice(("08:00", "23:59:59.5", None)),
                     overtime=rng.choice(("1 year 2 days 03:04:05.6", "-1 mon", None)),
                     on_duty=rng.choice(("[2024-01-01,2024-02-01)", "empty", "(,)", None)))

    def _desk(self) -> None:
        rng = self.rng
        self._insert("staff.desks", code=f"d{rng.randrange(1000)}", floor=rng.randint(0, 9),
                     network=rng.choice(("10.0.0.0/8", None)), card="08:00:2b:01:02:03",
                     flags=f"{rng.randrange(16):04b}")

    # Changes of them.

    def _change_user(self) -> None:
        self._any("users", "UPDATE users SET name = %s, tags = tags || %s::text, settings = "
                  "CASE WHEN jsonb_typeof(settings) = 'object' THEN settings || '{\"seen\": 1}' "
                  "END WHERE id = {id}", [self._words(2), self._words(1)], key="id")

    def _change_order(self) -> None:
        self._any("orders", "UPDATE orders SET state = %s::order_state, total = total + %s "
                  "WHERE id = {id}", [self._state(), self.rng.choice(("0.10", "1e3"))], key="id")

    def _change_product(self) -> None:
        self._any("products", "UPDATE products SET price = price + 1 WHERE sku = {id}", [],
                  key="sku")

    def _change_review(self) -> None:
        self._any("reviews", "UPDATE reviews SET body = %s WHERE id = {id}", [self._text()],
                  key="id")

    def _change_employee(self) -> None:
        self._any("staff.employees", "UPDATE staff.employees SET boss = NULL, salary = salary * 2 "
                  "WHERE id = {id}", [], key="id")

    def _change_key(self) -> None:
        self._any("staff.desks", "UPDATE staff.desks SET code = code || 'x' WHERE code = {id} AND "
                  "length(code) < 20 AND NOT EXISTS (SELECT FROM staff.desks d WHERE d.code = "
                  "{id} || 'x')", [], key="code")

    def _delete(self) -> None:
        table, key = self.rng.choice((("orders", "id"), ("reviews", "id"), ("products", "sku"),
                                      ("staff.desks", "code")))
        self._any(table, f"DELETE FROM {table} WHERE {key} = {{id}}", [], key=key)

    def _any(self, table: str, sql: str, parameters: list, key: str) -> None:
        """{id} in the statement is the key of some row."""
        one = (f"(SELECT {key} FROM {table} ORDER BY hashtext({key}::text || "
               f"'{self.rng.getrandbits(32)}') LIMIT 1)")
        self._execute(sql.replace("{id}", one), parameters)

    # Values.

    def _words(self, count: int) -> str:
        return " ".join(self.rng.choice(_WORDS) for _ in range(count))

    def _text(self) -> str | None:
        kind = self.rng.random()
        if kind < 0.1:
            return None
        # Of random letters: what repeats itself would be compressed and stay in line.
        return self.rng.randbytes(_LONG // 2).hex() if kind < 0.15 else self._words(5)

    def _state(self) -> str:
        return self.rng.choice(("open", "paid", "shipped", "returned"))

    def _date(self) -> str:
        return f"{self.rng.randint(1950, 2030)}-{self.rng.randint(1, 12):02}-11"

    def _time(self) -> str:
        return (f"20{self.rng.randint(20, 26)}-{self.rng.randint(1, 12):02}-11 10:"
                f"{self.rng.randrange(60):02}:00.{self.rng.randrange(10**6):06}+02")

    @contextlib.contextmanager
    def _transaction(self):
        self._execute("BEGIN")
        yield
        self._execute("COMMIT")

    def _insert(self, table: str, **row) -> None:
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        self._execute(f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING",
                      list(row.values()))

    def _execute(self, sql: str, parameters=None) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("schema", "load", "changes"))
    parser.add_argument("--uri", default="dbname=shop")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--rows", type=int, default=500, help="users, products and orders to load")
    parser.add_argument("--rate", type=float, default=50, help="transactions a second")
    parser.add_argument("--count", type=int, help="transactions; without end if not given")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with contextlib.closing(psycopg2.connect(options.uri)) as connection:
        generator = Generator(options.seed, connection)
        if options.command == "schema":
            generator.create_schema()
        elif options.command == "load":
            generator.load(options.rows)
        else:
            with contextlib.suppress(KeyboardInterrupt):
                generator.run(options.rate, options.count)


if __name__ == "__main__":
    main()
