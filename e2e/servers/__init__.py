"""The real servers, for the demo, the end-to-end tests and the benches.

    with Stack() as stack:
        uri = stack.postgres.create_database("orders")
        stack.kafka.create_topic("changes", partitions=4)
        stack.search.request("PUT", "/orders")

Kubernetes, with that host's address for the servers, and pods reach them:

    with Cluster() as cluster, Stack(host=cluster.node_address) as stack:
        cluster.load_image(Path("build/image/searchsync.tar"))
        cluster.kubectl("get", "nodes")

Needs Debian's python3 (/usr/bin/python3) and python3-psycopg2, nothing else.
"""

from .certificates import Authority
from .cluster import Cluster
from .connect import Connect
from .errors import ServersError
from .kafka import Kafka
from .postgres import Postgres
from .process import Process, end_on_signals, wait_until
from .search import ENGINES, Search
from .server import Server
from .stack import PARTS, Stack

__all__ = ["ENGINES", "PARTS", "Authority", "Cluster", "Connect", "Kafka", "Postgres", "Process",
           "Search", "Server", "ServersError", "Stack", "end_on_signals", "wait_until"]
