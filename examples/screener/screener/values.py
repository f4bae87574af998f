"""Random column values, and how they are written for PostgreSQL.

Everything takes its randomness from the caller's random.Random, so that a seed gives the same
values.
"""

import datetime
import json
import random
from decimal import Decimal
from typing import Any

# What breaks careless code: quotes, escapes, scripts of the world, emoji, text that looks like
# something else. PostgreSQL stores all of it; only the NUL character it cannot.
STRANGE = (
    "", " ", "null", "NaN", "0123", "true", "it's \"quoted\"", "back\\slash \\n \\u0041",
    "tab\there", "two\nlines\r\n", "\x01\x1f control", "Zürich – naïve café", "Ελληνικά",
    "日本語テスト", "עברית",
    "👩‍🔬🧪 emoji", "𝄞 beyond the BMP", "combining e\u0301", "\u2028 line separator",
    "{\"json\": [1, 2]}",
    "${PATH} %s %d {0}", "<script>&amp;", "\ufeffbom", "a" * 300,
)
_WORDS = ("assert", "timeout", "expected", "token", "session", "socket", "retry", "login", "cache",
          "shard", "panic", "deadline", "worker", "quota", "index", "flush")

# Long enough to be stored out of line, whatever is said about compression.
LONG_TEXT_BYTES = 3000


def text(rng: random.Random, usual: str) -> str:
    """Mostly `usual`, sometimes something strange."""
    return rng.choice(STRANGE) if rng.random() < 0.05 else usual


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(_WORDS, k=count))


def long_text(rng: random.Random) -> str:
    """More than LONG_TEXT_BYTES of text that differs from call to call."""
    lines = [f"{rng.getrandbits(64):016x} {words(rng, 5)}" for _ in range(60)]
    filler = LONG_TEXT_BYTES - sum(map(len, lines))
    return "\n".join(lines) + "." * max(filler, 0)


def time(rng: random.Random, now: datetime.datetime, days: float) -> datetime.datetime:
    """Of the last `days` before now, recent ones more often; whole seconds, millis or micros."""
    moment = now - datetime.timedelta(seconds=days * 86400 * rng.random() ** 2)
    step = rng.choice((1, 1000, 1_000_000))
    return moment.replace(microsecond=moment.microsecond // step * step)


def number(rng: random.Random) -> Decimal | None:
    """Of any scale, with trailing zeros; sometimes larger than a double can hold exactly."""
    if rng.random() < 0.1:
        return None
    digits = rng.getrandbits(rng.choice((4, 16, 64, 90)))
    sign = rng.choice((1, 1, 1, -1))
    return Decimal(sign * digits).scaleb(-rng.randrange(7))


def real(rng: random.Random) -> float | None:
    if rng.random() < 0.1:
        return None
    return rng.choice((rng.random(), rng.gauss(0, 1e6), rng.random() * 10.0 ** rng.randrange(-9, 9),
                       0.0, 0.1))


def document(rng: random.Random) -> Any:
    """A JSON value such as a service keeps in a jsonb column."""
    if rng.random() < 0.1:
        return None
    return {"shard": rng.randrange(32), "seed": rng.getrandbits(40), "flags": rng.sample(_WORDS, 2),
            "nested": {"ratio": rng.randrange(1000) / 8, "note": text(rng, "plain"), "none": None}}


def labels(rng: random.Random) -> list[str | None] | None:
    if rng.random() < 0.1:
        return None
    return [text(rng, word) for word in rng.choices(_WORDS, k=rng.randrange(4))]


def literal(value: Any) -> str | None:
    """The text form that PostgreSQL's input functions take; None for NULL."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, list):
        return "{" + ",".join(map(_array_item, value)) + "}"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return str(value)


def _array_item(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_line(row: list[Any]) -> str:
    """One line of COPY's text format."""
    fields = (literal(value) for value in row)
    return "\t".join("\\N" if f is None else f.translate(_COPY_ESCAPES) for f in fields) + "\n"
