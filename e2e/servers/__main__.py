"""Starts the servers for people and scripts: `/usr/bin/python3 -m e2e.servers up`, or `cluster`."""

import argparse
import signal
import sys
from pathlib import Path

from . import artefacts, cache
from .cluster import Cluster
from .errors import ServersError
from .group import to_stderr
from .node import NODE_ADDRESS
from .search import ENGINES
from .server import LOOPBACK
from .stack import PARTS, Stack


def main() -> int:
    options = _parser().parse_args()
    try:
        return options.run(options)
    except ServersError as error:
        to_stderr(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _up(options: argparse.Namespace) -> int:
    with Stack(options.run_dir, engine=options.search, parts=tuple(options.only),
               search_heap=options.search_heap, host=options.host) as stack:
        print(f"addresses in {stack.run_dir}/servers.json and servers.env; Ctrl-C ends them",
              flush=True)
        _wait_for_the_end()
    return 0


def _cluster(options: argparse.Namespace) -> int:
    with Cluster(options.run_dir, api_only=options.api_only) as cluster:
        for archive in options.image:
            cluster.load_image(archive)
        # What is to run on it from the start is installed here.
        print("Kubernetes is up; Ctrl-C ends it and all that runs on it. In another shell:\n",
              f"  export KUBECONFIG={cluster.kubeconfig}",
              f"  export PATH={cluster.program('kubectl').parent}:$PATH",
              "  kubectl get pods --all-namespaces", "",
              f"Pods reach this machine at {cluster.node_address}. Servers that they can use:", "",
              f"  /usr/bin/python3 -m e2e.servers up --host {cluster.node_address}", sep="\n")
        if options.image:
            print("\nThe image is on it: install the operator as docs/install.md says, with\n\n"
                  "  --set image.repository=localhost/searchsync")
        sys.stdout.flush()
        _wait_for_the_end()
    return 0


def _wait_for_the_end() -> None:
    try:
        while True:
            signal.pause()
    except (KeyboardInterrupt, SystemExit):
        to_stderr("stopping")


def _fetch(options: argparse.Namespace) -> int:
    for name in options.names or artefacts.BY_NAME:
        if name not in artefacts.BY_NAME:
            raise ServersError(f"nothing is called {name!r}: there are "
                               f"{', '.join(artefacts.BY_NAME)}")
        print(f"{name:<15} {cache.get(artefacts.BY_NAME[name], to_stderr)}", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m e2e.servers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the servers; they run until Ctrl-C or SIGTERM")
    up.add_argument("--search", choices=ENGINES,
                    help="the engine; $SEARCH or opensearch2 if not given")
    up.add_argument("--search-heap", default="1g", metavar="SIZE", help="as for -Xmx")
    up.add_argument("--host", default=LOOPBACK, metavar="ADDRESS",
                    help=f"to listen on; {NODE_ADDRESS} to be in reach of a cluster's pods")
    up.add_argument("--run-dir", type=Path, metavar="D",
                    help="for data and logs, kept; otherwise a temporary folder")
    up.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="just these")
    up.set_defaults(run=_up)
    cluster = commands.add_parser("cluster", help="start Kubernetes; it runs until Ctrl-C")
    cluster.add_argument("--api-only", action="store_true", help="no node: no pods, and no root")
    cluster.add_argument("--image", action="append", type=Path, default=[], metavar="TAR",
                         help="a docker-archive whose images pods can run; may be repeated")
    cluster.add_argument("--run-dir", type=Path, metavar="D", help="as for up")
    cluster.set_defaults(run=_cluster)
    fetch = commands.add_parser("fetch", help="download or build, and do nothing else")
    fetch.add_argument("names", nargs="*", help=f"of {', '.join(artefacts.BY_NAME)}; or all")
    fetch.set_defaults(run=_fetch)
    return parser


if __name__ == "__main__":
    sys.exit(main())
