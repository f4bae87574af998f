"""The screener's data and its oracle by themselves: a proof is as good as what it compares with."""

import contextlib
import copy
import datetime
import unittest
from decimal import Decimal

from e2e import screener_oracle
from e2e.harness.screener import SERVICES, Generator
from e2e.servers import Stack
from screener import TABLES, changes

_RUNS = 500
_CHANGES = 2000
# A history is repeated at one time only, and the hour may end between two.
_NOW = datetime.datetime(2024, 6, 1, 12, tzinfo=datetime.timezone.utc)


class ComparisonTest(unittest.TestCase):
    WANT = {"id": "a", "number": Decimal("12.50"), "flag": True, "hits": [{"n": 1}, {"n": 2}],
            "none": None}

    def test_equal(self):
        for got in (self.WANT, {**self.WANT, "number": Decimal("12.5")}):
            self.assertEqual([], self._compare(got))

    def test_every_difference_is_found(self):
        for field, value in (("number", "12.50"), ("number", Decimal("12.51")), ("flag", 1),
                             ("flag", False), ("hits", [{"n": 2}, {"n": 1}]), ("hits", [{"n": 1}]),
                             ("hits", None), ("none", ""), ("none", 0), ("extra", None)):
            with self.subTest(field=field, value=value):
                got = {**copy.deepcopy(self.WANT), field: value}
                self.assertNotEqual([], self._compare(got))

    def test_a_missing_field_is_not_null(self):
        got = {name: value for name, value in self.WANT.items() if name != "none"}
        self.assertEqual(['a: none: got "no field", want null'], self._compare(got))

    def test_missing_and_extra_documents(self):
        compared = screener_oracle.Comparison([("a", {}), ("b", {})], [("b", {}), ("c", {})])
        self.assertEqual(2, len(compared.differences))

    def test_a_document_that_comes_twice(self):
        compared = screener_oracle.Comparison([("a", {})], [("a", {}), ("a", {})])
        self.assertEqual(1, len(compared.differences))

    def _compare(self, got: dict) -> list[str]:
        return screener_oracle.Comparison([("a", self.WANT)], [("a", got)]).differences


class DataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(parts=("postgres",)))

    def test_a_seed_repeats_its_history(self):
        first, second = self._history("first", 7), self._history("second", 7)
        self.assertEqual(first, second)
        self.assertNotEqual(first, self._history("third", 8))

    def test_no_table_is_ever_empty(self):
        for service in SERVICES:
            self.stack.postgres.create_database(f"emptied-{service}")
        with contextlib.ExitStack() as stack:
            generator = self._generator(stack, "emptied-{}", 3)
            generator.load(100)
            for _ in range(20):
                changes.truncate_jobs(generator)
        self.assertLess(0, self.stack.postgres.execute("SELECT count(*) FROM jobs",
                                                       database="emptied-workspace")[0][0])

    def test_the_document_of_the_example(self):
        for service in SERVICES:
            self.stack.postgres.create_database(service)
        with contextlib.ExitStack() as stack:
            generator = self._generator(stack, "{}", 1)
            generator.load(_RUNS)
            documents = dict(screener_oracle.documents(self.stack.postgres.connect))
            self.assertEqual(_RUNS, len(documents))
        run = documents["test-run-12345"]
        for field, value in {
                "testName": "auth_login_test", "testSuite": "auth-integration-suite",
                "platform": "linux-x64", "testStatus": "FAILED", "bugId": "BUG-6789",
                "bugStatus": "OPEN", "bugSeverity": "P1", "projectName": "backend-api",
                "changelist": "CL-98765", "primary": "main", "owner": "john@company.com",
                "ownerTeam": "platform-team", "personality": "developer", "imageId": "img-abc123",
                "imageBuildStatus": "SUCCESS", "workspaceId": "ws-xyz789",
                "workspaceHostname": "worker-node-03"}.items():
            self.assertEqual(value, run[field], field)

    def _history(self, name: str, seed: int) -> list:
        """Every row of every table, after a load and changes."""
        for service in SERVICES:
            self.stack.postgres.create_database(f"{name}-{service}")
        with contextlib.ExitStack() as stack:
            generator = self._generator(stack, f"{name}-{{}}", seed)
            generator.load(_RUNS)
            made = generator.run(1e9, _CHANGES)
        self.assertGreater(len(made), 15, "kinds of changes")
        return [self.stack.postgres.execute(
                    f"SELECT t::text FROM {table} t ORDER BY {', '.join(kind.key)}",
                    database=f"{name}-{kind.service}")
                for table, kind in TABLES.items()]

    def _generator(self, stack: contextlib.ExitStack, database: str, seed: int) -> Generator:
        generator = Generator(seed, {
            service: stack.enter_context(contextlib.closing(
                self.stack.postgres.connect(database.format(service))))
            for service in SERVICES}, _NOW)
        generator.create_schema()
        return generator


if __name__ == "__main__":
    unittest.main()
