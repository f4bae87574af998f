"""Data for the screener example: seven databases, filled and kept changing from a seed."""

from .generator import Generator
from .tables import SERVICES, TABLES

__all__ = ["SERVICES", "TABLES", "Generator"]
