"""Changes that go on in the background."""

import threading
from collections import Counter

from .screener import Generator


class Stream:
    """Makes changes at a steady rate from now on, in a thread of its own, until stop()."""

    def __init__(self, generator: Generator, per_second: float):
        self._generator = generator
        self._rate = per_second
        self._stopping = threading.Event()
        self._made: Counter = Counter()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *error) -> None:
        self._stopping.set()
        self._thread.join()

    def stop(self) -> Counter:
        """How many of each kind were made. Errors: what ended it before, if something did."""
        self._stopping.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made

    def _run(self) -> None:
        try:
            self._made = self._generator.run(self._rate, stop=self._stopping)
        except BaseException as error:  # for stop() to raise
            self._error = error
