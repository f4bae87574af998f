"""What goes on in the background of a test."""

import threading


class Meanwhile:
    """Does its step again and again in a thread, as long as it is open."""

    def __init__(self):
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def step(self) -> None:
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error[0] is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.step()
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error


class Changes(Meanwhile):
    """Random transactions of the generator, of which it is the only user."""

    def __init__(self, generator, per_second: float):
        super().__init__()
        self._generator = generator
        self._rate = per_second
        self.made = 0

    def step(self) -> None:
        self.made += self._generator.run(self._rate, 1)
