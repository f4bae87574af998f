"""Users of examples/widgets who read what they have written, and compare."""

import collections
import http.client
import random
import threading
from typing import Callable

from .widgets import Client

_ERRORS = (OSError, http.client.HTTPException)


class OwnReads:
    """A context manager: threads that write and read until it is left, or each has had its tries.
    Each has widgets of its own.

    address: of the query service, asked for each connection. tries: of all together, at least; 0:
    without end.
    """

    def __init__(self, address: Callable[[], str], name: str, threads: int, tries: int = 0):
        self.counts: collections.Counter = collections.Counter()
        self.misses: list[str] = []  # a token was reached, and this was not as it was written
        self.refusals: list[str] = []  # what commands were refused for that must not be
        self.breaks: list[str] = []  # why turns were broken off
        self._address = address
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(
            f"{name}-{number}", -(-tries // threads))) for number in range(threads)]

    def __enter__(self) -> "OwnReads":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Until each has had its tries. Errors: those of the threads."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self, name: str, tries: int) -> None:
        try:
            _User(self, name).live(tries)
        except BaseException as error:  # pylint: disable=broad-except
            self._failures.append(error)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def stopping(self) -> bool:
        return self._stopping.is_set()

    def connect(self) -> Client:
        return Client(self._address())


class _User:
    def __init__(self, reads: OwnReads, name: str):
        self._reads = reads
        self._name = name
        self._dice = random.Random(name)
        self._serials: list[str] = []  # of widgets that are there
        self._client = reads.connect()

    def live(self, tries: int) -> None:
        turn = 0
        while not self._reads.stopping() and (tries == 0 or turn < tries):
            try:
                self._turn(f"{self._name}-{turn}")
            except _ERRORS as error:
                # What was under way may have been done or not: nobody asks for it any more.
                self._reads.count("broken off")
                self._reads.breaks.append(f"{self._name}-{turn}: {error!r}")
                self._client.close()
                self._client = self._connect()
            turn += 1
        self._client.close()

    def _connect(self) -> Client:
        while True:
            try:
                return self._reads.connect()
            except _ERRORS:
                if self._reads.stopping():
                    raise

    def _turn(self, serial: str) -> None:
        if len(self._serials) > 1 and self._dice.random() < 0.3:
            gone = self._serials.pop(self._dice.randrange(len(self._serials)))
            token = self._call("remove_widget", serial=gone)
            if token:
                self._expect(gone, token, None)
            return
        token = self._call("add_widget", serial=serial, name="own", ports=["P", "Q", "R"])
        if not token:
            return
        peer = None
        if self._serials and self._dice.random() < 0.5:
            asked = self._dice.choice(self._serials)
            newer = self._call("associate_widgets", taken=True, serial=serial, peer=asked, port="P")
            peer, token = (asked, newer) if newer else (None, token)
        self._serials.append(serial)
        self._expect(serial, token, peer)
        if peer:
            self._expect(peer, token, serial)

    def _call(self, function: str, taken: bool = False, **arguments) -> str | None:
        """The token, if it was done. taken: a slot may be."""
        status, answer, token = self._client.call(function, **arguments)
        if status in (200, 204):
            return token
        allowed = (409, 503) if taken else (503,)
        if status not in allowed:
            self._reads.refusals.append(f"{function} {arguments}: {status} {answer}")
        self._reads.count(f"refused with {status}")
        return None

    def _expect(self, serial: str, token: str, peer: str | None) -> None:
        """peer: who has its slot P, or nobody. A widget of ours that is not there has been
        removed."""
        there = serial in self._serials
        reached, found = self._client.find(serial, token)
        if not reached:
            self._reads.count("not reached")
            return
        self._reads.count("reached")
        slots = [(slot["port"], slot["peer"]) for one in found for slot in one["slots"]]
        expected = [("P", peer), ("Q", None), ("R", None)] if there else []
        if len(found) != int(there) or slots != expected:
            self._reads.misses.append(f"{serial}: {expected} was written, {found} found")
