"""Topics that a real Debezium writes, beside our own capture of the same table: the documents must
be the same, whichever wrote them. SEARCH chooses the engine.
"""

import datetime
import unittest
from decimal import Decimal
from typing import Any, Callable, Iterable

from e2e.harness import SearchSync, engine, write_secret
from e2e.harness.dead_letters import dead_letters
from e2e.servers import Connect, Stack

_SECONDS = 600
_TABLE = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE kinds (
  id int PRIMARY KEY, yes bool, small int2, large int8, real4 float4, real8 float8, nan float8,
  amount numeric, cost numeric(12, 3), name varchar(20), mood mood, uid uuid, doc jsonb,
  at timestamptz, local timestamp, day date, clock time, zoned timetz, bytes bytea, numbers int[],
  texts text[], gone text, long text);
ALTER TABLE kinds REPLICA IDENTITY FULL;
"""
_ROW = """
INSERT INTO kinds VALUES (%s, true, -3, 9007199254740993, 0.1, 1e20, 'NaN', 12345678901234567890.10,
  -1.5, 'ü', 'happy', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}',
  '2024-01-15 12:30:00.120+02', '2024-01-15 10:30:00.5', '2024-01-15', '10:30:00.5', '10:30:00+02',
  '\\xdeadbeef', '{1,NULL,3}', '{"a b",NULL,"q\\""}', NULL,
  (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i));
"""
_COLUMNS = ("id", "yes", "small", "large", "real4", "real8", "nan", "amount", "cost", "name", "mood",
            "uid", "doc", "at", "local", "day", "clock", "zoned", "bytes", "numbers", "texts",
            "gone", "long")
# What a message without its schema does not say; of a time of day not even a type helps.
_TYPES = {"local": "TimestampMicros", "day": "DateDays"}
_UNSAID = ("clock",)
# Debezium writes these otherwise: without trailing zeros, with all digits of a fraction, at GMT.
_MEANING: dict[str, Callable[[str], Any]] = {
    "amount": Decimal,
    "at": datetime.datetime.fromisoformat,
    "local": lambda text: datetime.datetime.fromisoformat(text).replace(tzinfo=None),
    "zoned": lambda text: datetime.datetime.fromisoformat(f"2024-01-15T{text}"),
}

_INDEX = """
apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata: {{name: {name}}}
spec:
  elasticsearch: {{urls: ["{search}"]}}
  kafka: {{bootstrapServers: ["{kafka}"]}}
  replicas: 0
  refreshInterval: 200ms
  reindex: {{cutover: {{maxLagRecords: 0, stableFor: 1s}}}}
  workers: {{partitions: 2, replicas: 1, sessionTimeout: 6s}}
  mappings: {{dynamic: strict, properties: {{{properties}}}}}
---
apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {{name: {name}-row}}
spec:
  indexRef: {{name: {name}}}
  source: {source}
  key: [id]
  relation: {{root: {{}}}}
  fields: [{fields}]
"""


class DebeziumTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack())
        uri = cls.stack.postgres.create_database("kinds")
        cls._sql(_TABLE)
        for key in range(1, 6):
            cls._sql(_ROW, key)
        cls.connect = Connect(cls.stack.run_dir / "servers" / "connect", cls.stack.kafka, {
            "whole": cls._connector("whole"),
            "bare": {**cls._connector("bare"), "key.converter.schemas.enable": "false",
                     "value.converter.schemas.enable": "false",
                     "key.converter": "org.apache.kafka.connect.json.JsonConverter",
                     "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                     "decimal.handling.mode": "string"}})
        cls.addClassCleanup(cls.connect.stop)
        cls.connect.start()
        cls.connect.wait_ready()
        resources = cls.stack.run_dir / "resources"
        write_secret(resources, "kinds-db", {"uri": uri})
        for name, source, types in (
                ("captured", "{postgres: {secretRef: {name: kinds-db}, table: public.kinds}}", {}),
                ("whole", "{kafka: {topic: whole.public.kinds}}", {}),
                ("bare", "{kafka: {topic: bare.public.kinds}}", _TYPES)):
            (resources / f"{name}.yaml").write_text(cls._resource(name, source, types),
                                                    encoding="utf-8")
        cls.product = cls.enterClassContext(SearchSync(resources, cls.stack.run_dir / "product"))
        for name in ("captured", "whole", "bare"):
            cls.product.wait_served(name, _SECONDS)

    @classmethod
    def _connector(cls, name: str) -> dict[str, str]:
        postgres = cls.stack.postgres
        return {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": postgres.host, "database.port": str(postgres.port),
            "database.user": "postgres", "database.password": postgres.password(),
            "database.dbname": "kinds", "topic.prefix": name, "plugin.name": "pgoutput",
            "slot.name": name, "publication.name": name,
            "publication.autocreate.mode": "filtered",
            "table.include.list": "public.kinds", "poll.interval.ms": "10"}

    @classmethod
    def _resource(cls, name: str, source: str, types: dict[str, str]) -> str:
        fields = ", ".join(f"{{from: {column}, to: {column}, type: {types.get(column, 'Auto')}}}"
                           for column in _COLUMNS)
        properties = ", ".join(f"{column}: {{type: object, enabled: false}}"
                               for column in _COLUMNS)
        return _INDEX.format(name=name, source=source, fields=fields, properties=properties,
                             search=cls.stack.search.url, kafka=cls.stack.kafka.address)

    @classmethod
    def _sql(cls, sql: str, *parameters) -> None:
        cls.stack.postgres.execute(sql, parameters or None, "kinds")

    def test_documents_are_the_same(self):
        self._sql("UPDATE kinds SET name = 'short', amount = 0.5 WHERE id = 2")  # not its long text
        self._sql("UPDATE kinds SET id = 30 WHERE id = 3")
        self._sql("DELETE FROM kinds WHERE id = 4")
        self._sql("UPDATE kinds SET long = NULL, cost = NULL, texts = '{}' WHERE id = 5")
        self._sql(_ROW, 6)
        self._wait_all({"1", "2", "30", "5", "6"})
        for key in ("1", "2", "30", "5", "6"):
            wanted = engine.source(self.stack.search, "captured", key)
            with self.subTest(key, by="Debezium, with schemas"):
                self.assertEqual(_meaning(wanted), _meaning(
                    engine.source(self.stack.search, "whole", key)))
            with self.subTest(key, by="Debezium, without schemas"):
                self.assertEqual(_meaning(wanted, _UNSAID), _meaning(
                    engine.source(self.stack.search, "bare", key), _UNSAID))

    def test_what_debezium_leaves_out_is_a_dead_letter(self):
        """An unchanged long value, that is; our capture looks it up."""
        self._sql("ALTER TABLE kinds REPLICA IDENTITY DEFAULT")
        self._sql("UPDATE kinds SET name = 'left out' WHERE id = 1")
        self.product.wait("captured change", lambda: (engine.source(
            self.stack.search, "captured", "1") or {}).get("name") == "left out", _SECONDS)
        self.assertEqual(12800, len(engine.source(self.stack.search, "captured", "1")["long"]))
        for index in ("whole", "bare"):
            self.product.wait(f"dead letter of {index}", lambda name=index: any(
                "column long" in letter.reason and "REPLICA IDENTITY FULL" in letter.reason
                for letter in dead_letters(self.stack.kafka, name)), _SECONDS)

    def _wait_all(self, keys: set[str]) -> None:
        def found() -> bool:
            for index in ("whole", "bare"):
                self.assertEqual([], dead_letters(self.stack.kafka, index))
            return all(dict.fromkeys(keys, 7) == {key: document["small"] for key, document
                                                  in engine.documents(self.stack.search, index)}
                       for index in ("captured", "whole", "bare"))
        # The last change of every row: rows of several partitions come in no order.
        self._sql("UPDATE kinds SET small = 7")
        self.product.wait(f"last change of documents {sorted(keys)}", found, _SECONDS)


def _meaning(document: dict, unsaid: Iterable[str] = ()) -> dict:
    return {name: value if value is None else _MEANING.get(name, lambda same: same)(value)
            for name, value in document.items() if name not in unsaid}


if __name__ == "__main__":
    unittest.main()
