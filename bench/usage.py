"""CPU time and memory of everything that takes part, by role."""

from dataclasses import dataclass

from e2e.harness import SearchSync
from e2e.servers import Stack

ROLES = ("capture", "worker", "query", "kafka", "engine", "postgres")


@dataclass(frozen=True)
class Usage:
    """By role; processes of one role are added up."""

    cpu_seconds: dict[str, float]
    rss_bytes: dict[str, int]

    def since(self, earlier: "Usage") -> dict[str, float]:
        """CPU seconds by role."""
        return {role: self.cpu_seconds[role] - earlier.cpu_seconds[role] for role in ROLES}


def read(stack: Stack, product: SearchSync) -> Usage:
    """No process of the product may have been replaced between two readings that are compared."""
    cpu: dict[str, float] = dict.fromkeys(ROLES, 0.0)
    rss: dict[str, int] = dict.fromkeys(ROLES, 0)
    parts = [(child.role, child) for child in product.children()]
    parts += [("kafka", stack.kafka), ("engine", stack.search), ("postgres", stack.postgres)]
    for role, part in parts:
        cpu[role] += part.cpu_seconds()
        rss[role] += part.rss_bytes()
    return Usage(cpu, rss)
