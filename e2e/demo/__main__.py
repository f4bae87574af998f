"""A system at work, from empty servers to the answer of a query: `make demo SYSTEM=<name>`.

Starts the servers that it needs, fills them, runs searchsync on the resources of examples/<name>,
asks what its users ask, and shows how soon a change is seen. Then all stays up to be played with,
until Ctrl-C.

SYSTEM is screener, database, events, widgets or domains; DEMO_EXIT=1 ends after the show, SEARCH
chooses the engine.
"""

import os
import sys

from e2e.demo import database, domains, events, screener, widgets
from e2e.demo.show import say
from e2e.servers import ServersError, Stack

# Each has PARTS, the servers it needs, and show(stack).
_SYSTEMS = {"screener": screener, "database": database, "events": events, "widgets": widgets,
            "domains": domains}


def main() -> int:
    name = os.environ.get("SYSTEM") or "screener"
    system = _SYSTEMS.get(name)
    if system is None:
        say(f"error: there is no system {name}, but {', '.join(_SYSTEMS)}")
        return 2
    try:
        with Stack(parts=system.PARTS, progress=say) as stack:
            try:
                system.show(stack)
            except KeyboardInterrupt:  # here, so that nothing is kept
                say("\nstopping")
    except ServersError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
