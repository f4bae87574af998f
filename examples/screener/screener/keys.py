"""The keys of a table's rows, as far as the generator has to remember them."""

import random

Key = tuple  # the values of the key's columns, in the key's order

_GONE_MAX = 500


class KeyPool:
    """Keys that exist, were deleted, or are referred to before they exist."""

    def __init__(self):
        self._keys: list[Key] = []
        self._place: dict[Key, int] = {}
        self.awaited: list[Key] = []  # rows refer to them; they come later
        self.gone: list[Key] = []     # deleted; some come back
        self._next = 1

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: Key) -> bool:
        return key in self._place

    def next_number(self) -> int:
        """1, 2, 3, ...: a number never given before."""
        self._next += 1
        return self._next - 1

    def skip_numbers(self, highest: int) -> None:
        self._next = max(self._next, highest + 1)

    def add(self, key: Key) -> None:
        if key in self._place:
            return
        self._place[key] = len(self._keys)
        self._keys.append(key)
        if self.gone and key in self.gone:
            self.gone.remove(key)

    def remove(self, key: Key) -> None:
        place = self._place.pop(key)
        last = self._keys.pop()
        if last != key:
            self._keys[place] = last
            self._place[last] = place
        if len(self.gone) < _GONE_MAX:
            self.gone.append(key)

    def clear(self) -> None:
        for key in list(self._keys):
            self.remove(key)

    def choose(self, rng: random.Random, skew: float = 1.0) -> Key:
        """Any key; with skew above 1 the older ones more often. Not for an empty pool."""
        return self._keys[int(len(self._keys) * rng.random() ** skew)]

    def keys(self) -> list[Key]:
        return list(self._keys)


def take(rng: random.Random, keys: list[Key]) -> Key | None:
    """Removes and returns one of the list; None if it is empty."""
    if not keys:
        return None
    place = rng.randrange(len(keys))
    keys[place], keys[-1] = keys[-1], keys[place]
    return keys.pop()
