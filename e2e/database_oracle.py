"""The documents that the tables of a database must be, by SQL: an oracle that knows PostgreSQL's
types and nothing of searchsync."""

import json
from typing import Any, Callable, Iterator

# As documents have them: what of a type is not its text. {0}: the value.
_FORMS = {
    "bool": "to_json({0})", "int2": "to_json({0})", "int4": "to_json({0})",
    "int8": "to_json({0})", "oid": "to_json({0}::bigint)", "float4": "to_json({0})",
    "float8": "to_json({0})", "json": "{0}::json", "jsonb": "{0}::json",
    "bytea": "to_json(translate(encode({0}, 'base64'), E'\\n', ''))",
    # An ISO 8601 time; infinity, and what is before Christ, as PostgreSQL writes it.
    "timestamp": "to_json(CASE WHEN isfinite({0}) THEN regexp_replace({0}::text, ' ', 'T') "
                 "ELSE {0}::text END)",
    "timestamptz": "to_json(CASE WHEN isfinite({0}) THEN replace(regexp_replace({0}::text, ' ', "
                   "'T'), '+00', 'Z') ELSE {0}::text END)",
}
# The type's own text: a cast would cut char(n). A row with a null in it is neither null nor not.
_TEXT = "CASE WHEN {0} IS DISTINCT FROM NULL THEN to_json(format('%s', {0})) END"
_SETTINGS = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; "
             "SET extra_float_digits = 1; SET lc_monetary = 'C'")
_COLUMNS = """
  WITH RECURSIVE base(oid, target) AS (
    SELECT oid, oid FROM pg_type WHERE typtype <> 'd' UNION ALL
    SELECT d.oid, b.target FROM pg_type d JOIN base b ON b.oid = d.typbasetype
    WHERE d.typtype = 'd')
  SELECT a.attname, t.typname, e.typname FROM pg_attribute a JOIN base b ON b.oid = a.atttypid
  JOIN pg_type t ON t.oid = b.target
  LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
  WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  ORDER BY a.attnum"""


def parse(text: bytes) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(text, parse_float=lambda number: ("number", number),
                      parse_int=lambda number: ("number", number))


def rows(connection, table: str) -> list[str]:
    """Every row as a document, each as canonical(); sorted. table: as SQL has it."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute(_COLUMNS, [table])
        columns = cursor.fetchall()
        pairs = ", ".join(f"{_literal(name)}, {_form(name, scalar, element)}"
                          for name, scalar, element in columns)
        cursor.execute(f"SELECT json_build_object({pairs})::text FROM {table}")
        return sorted(canonical(parse(text.encode())) for (text,) in cursor.fetchall())


def canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def differences(connection, table: str, found: Iterator[tuple[str, dict]]) -> list[str]:
    """Of the documents in an index from the rows of a table, a few."""
    wanted, got = rows(connection, table), sorted(canonical(source) for _, source in found)
    if wanted == got:
        return []
    missing, extra = _without(wanted, got), _without(got, wanted)
    return [f"{table}: {len(wanted)} rows, {len(got)} documents",
            *(f"missing {one[:500]}" for one in missing[:2]),
            *(f"extra   {one[:500]}" for one in extra[:2])]


def _without(some: list[str], others: list[str]) -> list[str]:
    rest = set(others)
    return [one for one in some if one not in rest]


def _form(name: str, scalar: str, element: str | None) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if element is None:
        return _value(scalar, column)
    return (f"CASE WHEN {column} IS NOT NULL THEN coalesce((SELECT json_agg("
            f"{_value(element, 'e')}) FROM unnest({column}) e), '[]') END")


def _value(kind: str, value: str) -> str:
    form: Callable[..., str] = _FORMS.get(kind, _TEXT).format
    return form(value)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
