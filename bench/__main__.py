"""Measures SearchSync on the screener, beside the most its search engine can take: `make bench`.

One run, one machine, everything on it: ratios mean more than numbers. See bench/README.md. With
`operator` as its first argument, the operator on Kubernetes.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile

from e2e.harness import SearchSync, engine
from e2e.harness.product import BINARY
from e2e.harness.screener import INDEX, Screener
from e2e.servers import ENGINES, Stack

from . import raw, report, usage
from .operator import run as operator
from .path import Path
from .tool import say, show

_SERVED_SECONDS = 300
_STEADY_CHANGES = 400
_STEADY_RATE = 20.0  # a second


def main() -> int:
    if sys.argv[1:2] == ["operator"]:
        return operator.main(sys.argv[2:])
    options = _parser().parse_args()
    return show(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> str:
    rng = random.Random(options.seed)
    results = report.Results(options.runs, options.seed)
    with Stack(engine=options.search, jit=True) as stack:
        results.engine = f"{stack.search.engine} {stack.search.version()}"
        small = list(raw.small_documents(options.raw_documents, rng))
        say("warming the search engine")
        raw.measure(stack.search, "bench-warm", raw.SMALL_MAPPINGS, small)
        say("raw _bulk, small documents")
        results.raw_small = raw.measure(stack.search, "bench-small", raw.SMALL_MAPPINGS, small)

        screener = Screener(stack, stack.run_dir / "resources", options.seed)
        say(f"loading {options.runs} runs into PostgreSQL")
        screener.generator.load(options.runs)
        _keep_nothing_warm(screener)
        with SearchSync(screener.resources, stack.run_dir / "product") as product:
            _measure_path(options, Path(screener, product, rng), results, screener, product)
        say("raw _bulk, the screener's documents")
        _, answer = stack.search.request("GET", f"/{INDEX}/_mapping")
        mappings = next(iter(answer.values()))["mappings"]
        results.raw_same = raw.measure(stack.search, "bench-same", mappings,
                                       engine.documents(stack.search, INDEX))
    say("the worker alone")
    results.worker = _worker_alone()
    return str(results)


def _keep_nothing_warm(screener: Screener) -> None:
    """What the rebuild replaces goes at once, and costs nothing afterwards."""
    index = screener.resources / "index.yaml"
    index.write_text(index.read_text(encoding="utf-8").replace(
        "  reindex:\n", "  reindex:\n    keepWarm: 0s\n"), encoding="utf-8")


def _worker_alone() -> str:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([str(BINARY.parent / "worker_bench"), "50000", folder],
                              capture_output=True, text=True, check=True)
    return done.stdout.rstrip()


def _measure_path(options: argparse.Namespace, path: Path, results: report.Results,
                  screener: Screener, product: SearchSync) -> None:
    say("first load")
    results.runs.append(path.load(options.runs))
    product.wait_served(INDEX, _SERVED_SECONDS)
    screener.wait_quiet(product, _SERVED_SECONDS)
    results.idle = usage.read(screener.stack, product)
    say("rebuild")
    results.runs.append(path.rebuild(options.runs))
    path.wait_rebuilt()
    screener.wait_quiet(product, _SERVED_SECONDS)
    say("latency, idle")
    results.latencies.append(path.idle_latency(options.probes))
    say("updates")
    results.runs.append(path.updates(transactions=200, rows=100))
    results.loaded = usage.read(screener.stack, product)
    say("a renamed team")
    results.runs.append(path.rename_team())
    say("random mix")
    results.runs.append(path.mix(options.changes))
    say("latency, with the CPUs half busy")
    steady = path.mix(_STEADY_CHANGES, _STEADY_RATE)
    results.runs.append(steady)
    half = 0.5 * (os.cpu_count() or 1) / (sum(steady.cpu_seconds.values()) / steady.count)
    results.latencies.append(path.loaded_latency(options.probes, half))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="test runs to load")
    parser.add_argument("--changes", type=int, default=5_000, help="of the random mix")
    parser.add_argument("--probes", type=int, default=600, help="of each latency")
    parser.add_argument("--raw-documents", type=int, default=200_000, help="small ones")
    parser.add_argument("--search", choices=ENGINES, default=os.environ.get("SEARCH"))
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
