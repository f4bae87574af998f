"""The database: a shop's tables, each in an index, questions across them, and a table that joins.

DEMO_ROWS is the number of users, products and orders (500).
"""

import json
import os
import time

from e2e.demo.show import milliseconds_until, pretty, say, stay
from e2e.harness import SearchSync
from e2e.harness.database import EXAMPLE, Shop
from e2e.servers import PARTS as ALL_PARTS
from e2e.servers import Stack

PARTS = ALL_PARTS
ROWS = int(os.environ.get("DEMO_ROWS") or 500)

_SERVED_SECONDS = 180


def show(stack: Stack) -> None:
    shop = Shop(stack, stack.run_dir / "resources", seed=1)
    shop.generator.load(ROWS)
    with SearchSync(shop.resources, stack.run_dir / "product") as product:
        say(f"searchsync runs {shop.resources}; status: http://{product.address}/status")
        product.wait("all tables", lambda: product.index("shop")["phase"] == "Serving",
                     _SERVED_SECONDS)
        product.wait_ready("query")
        status = product.index("shop")
        say(f"{status['tables']['kept']} tables are kept. {status['message']}")
        for query, table in (("users-with-a-large-order", "users"),
                             ("orders-of-inactive-users", "orders")):
            body = json.loads((EXAMPLE / "queries" / f"{query}.json").read_text(encoding="utf-8"))
            say(f"\n{query}:\n{pretty(shop.hits(table, body)[:3])}")
        _join(shop)
        stay(product, _commands(shop, product))


def _join(shop: Shop) -> None:
    """A table is made, and waits for nobody."""
    began = time.monotonic()
    shop.sql("CREATE TABLE vouchers (code text PRIMARY KEY, percent int);"
             "INSERT INTO vouchers VALUES ('spring', 10)")

    def seen() -> bool:
        try:
            return shop.ask("GET", "/v1/vouchers/documents/spring")[0] == 200
        except OSError:  # the service is being started anew
            return False
    took = milliseconds_until(seen, began)
    say(f"\nA table, vouchers, created with a row in it, is served after {took / 1000:.1f} s")


def _commands(shop: Shop, product: SearchSync) -> str:
    query = f"http://{shop.query}"
    uri = shop.stack.postgres.uri("shop")
    return f"""  curl -s http://{product.address}/status
  curl -s {query}/v1
  curl -s -d @examples/database/queries/users-with-a-large-order.json {query}/v1/users/search
  psql {uri} -c "ALTER TABLE users ADD COLUMN vip boolean DEFAULT false"
  psql {uri} -c "ALTER TABLE visits ADD COLUMN id bigserial PRIMARY KEY"
  /usr/bin/python3 examples/database/generate.py changes --rate 50 --uri '{uri}'"""
