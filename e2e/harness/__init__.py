"""What the end-to-end tests, the demo and the benches share beyond the servers themselves."""

from .product import BINARY, Child, SearchSync
from .resources import render, write_secret

__all__ = ["BINARY", "Child", "SearchSync", "render", "write_secret"]
