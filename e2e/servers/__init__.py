"""The real servers, for the demo, the end-to-end tests and the benches.

    with Stack() as stack:
        uri = stack.postgres.create_database("orders")
        stack.kafka.create_topic("changes", partitions=4)
        stack.search.request("PUT", "/orders")

Needs Debian's python3 (/usr/bin/python3) and python3-psycopg2, nothing else.
"""

from .certificates import Authority
from .connect import Connect
from .errors import ServersError
from .kafka import Kafka
from .postgres import Postgres
from .process import Process, end_on_signals, wait_until
from .search import ENGINES, Search
from .server import Server
from .stack import PARTS, Stack

__all__ = ["ENGINES", "PARTS", "Authority", "Connect", "Kafka", "Postgres", "Process", "Search",
           "Server", "ServersError", "Stack", "end_on_signals", "wait_until"]
