"""Python programs from the package index."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .errors import ServersError
from .process import execute


@dataclass(frozen=True)
class PythonPackages:
    """A folder for PYTHONPATH: these requirements, with all they depend on, for the Python that
    fetches it."""

    name: str
    requirements: tuple[str, ...]
    lock: str = "pip.lock"

    def fill(self, folder: Path, progress: Callable[[str], None]) -> None:
        if importlib.util.find_spec("pip") is None:
            raise ServersError("pip is not installed: run `make packages`")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input",
                   "--disable-pip-version-check", "--target", str(folder), *self.requirements]
        code, output = execute(command, cwd=folder.parent)
        if code != 0:
            raise ServersError(f"{output}\n{' '.join(command)}\nfailed: can the package index be "
                               "reached?")
