"""Readers who notice what they should never see."""

import threading
import time
from typing import Callable

from e2e.harness.query import Query
from e2e.servers import ServersError

_PAUSE_SECONDS = 0.01


class Readers:
    """Asks the query service all the time, in threads of its own, until stop(): that a document is
    found by a query, and by its id, never older than before. A context manager.

    document: its id; marks_of: numbers of it that only grow.
    """

    def __init__(self, address: str, index: str, document: str,
                 marks_of: Callable[[dict], list[int]]):
        self._address = address
        self._index = index
        self._document = document
        self._marks_of = marks_of
        self._stopping = threading.Event()
        self._faults: list[str] = []
        self.asked = 0
        self._threads = [threading.Thread(target=self._loop, args=(ask,), daemon=True)
                         for ask in (self._search, self._get())]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def stop(self) -> list[str]:
        """What they should not have seen; nothing if all went well."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        return self._faults

    def _loop(self, ask: Callable[[Query], str]) -> None:
        while not self._stopping.wait(_PAUSE_SECONDS):
            # A connection for each question, as many clients would have: to any of the pods.
            query = Query(self._address, self._index)
            try:
                fault = ask(query)
            except (OSError, ServersError, KeyError, ValueError) as error:
                fault = repr(error)
            finally:
                query.close()
            self.asked += 1
            if fault:
                self._faults.append(f"{time.strftime('%H:%M:%S')} {fault}")

    def _search(self, query: Query) -> str:
        answer, _ = query.search({"filter": {"equals": {"field": "id", "value": self._document}},
                                  "size": 1})
        return "" if answer["hits"] else f"{self._document} is not found: {answer}"

    def _get(self) -> Callable[[Query], str]:
        newest: list[int] = []

        def ask(query: Query) -> str:
            nonlocal newest
            document = query.document(self._document)
            if document is None:
                return f"{self._document} is missing"
            before, newest = newest, self._marks_of(document)
            if any(now < then for now, then in zip(newest, before)):
                return f"{newest} is older than {before}"
            return ""
        return ask
