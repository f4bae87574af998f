"""What the screener's index must hold: one SQL join over a copy of all seven databases.

Shares no code with the engine. To be used when nothing changes the databases any more.
"""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

import psycopg2.extensions

Connect = Callable[[str], psycopg2.extensions.connection]  # by the name of a database

_JOIN = Path(__file__).with_name("screener_join.sql")
_SCHEMAS = Path(__file__).parent.parent / "examples" / "screener" / "schema"
_DATABASE = "screener_oracle"
_SHOWN = 20


def documents(connect: Connect) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every document with its id, in no order. Numbers with a fraction are Decimal, exact.

    connect: makes connections as a superuser, in autocommit mode, to a server that holds a database
    for each service and "postgres". Replaces the database screener_oracle there.
    """
    services = sorted(path.stem for path in _SCHEMAS.glob("*.sql"))
    with _closing(connect("postgres")) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template0")
    with _closing(connect(_DATABASE)) as copy:
        for service in services:
            copy.execute(f'CREATE SCHEMA "{service}"; SET search_path TO "{service}"')
            copy.execute((_SCHEMAS / f"{service}.sql").read_text(encoding="utf-8"))
            with _closing(connect(service)) as original:
                _copy_tables(original, copy)
        copy.execute("CREATE SCHEMA oracle; SET search_path TO oracle; ANALYZE")
        copy.execute("SET intervalstyle TO iso_8601; SET datestyle TO ISO; SET jit TO off")
        copy.execute(_JOIN.read_text(encoding="utf-8"))
        copy.execute("SELECT id, document::text FROM oracle.documents")
        for key, text in copy:
            yield key, parse(text)


def parse(text: str | bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


class Comparison:
    """The differences between what the join says and what an index holds."""

    def __init__(self, wanted: Iterable[tuple[str, dict]], indexed: Iterable[tuple[str, dict]]):
        self.differences: list[str] = []
        expected = dict(wanted)
        self.documents = len(expected)
        for key, document in indexed:
            if key not in expected:
                self._differs(key, "the document", document, "nothing")
                continue
            self._compare(key, "", document, expected.pop(key))
        for key, document in expected.items():
            self._differs(key, "the document", "nothing", document)

    def __str__(self) -> str:
        shown = "\n".join(self.differences[:_SHOWN])
        return f"{len(self.differences)} differences in {self.documents} documents\n{shown}"

    def _compare(self, key: str, field: str, got: Any, want: Any) -> None:
        if isinstance(got, dict) and isinstance(want, dict):
            for name in sorted(got.keys() | want.keys()):
                path = f"{field}.{name}" if field else name
                if name not in got or name not in want:
                    self._differs(key, path, got.get(name, "no field"), want.get(name, "no field"))
                else:
                    self._compare(key, path, got[name], want[name])
        elif isinstance(got, list) and isinstance(want, list) and len(got) == len(want):
            for place, (one, other) in enumerate(zip(got, want)):
                self._compare(key, f"{field}[{place}]", one, other)
        elif _kind(got) != _kind(want) or got != want:
            self._differs(key, field, got, want)

    def _differs(self, key: str, field: str, got: Any, want: Any) -> None:
        self.differences.append(f"{key}: {field}: got {_short(got)}, want {_short(want)}")


def _kind(value: Any) -> type:
    """12, 12.0 and 12.00 are one number; 12, "12" and true are three things."""
    number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return Decimal if number else type(value)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def _copy_tables(original, copy) -> None:
    original.execute("SELECT table_name FROM information_schema.tables"
                     " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
    for (table,) in original.fetchall():
        rows = io.StringIO()
        original.copy_expert(f"COPY public.{table} TO STDOUT", rows)
        rows.seek(0)
        copy.copy_expert(f"COPY {table} FROM STDIN", rows)


class _closing:
    """A connection as its one cursor; both are closed at the end."""

    def __init__(self, connection):
        self._connection = connection

    def __enter__(self):
        return self._connection.cursor()

    def __exit__(self, *error) -> None:
        self._connection.close()
