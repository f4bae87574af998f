"""Every connection encrypted and authenticated: PostgreSQL by verify-full, Kafka by SASL_SSL, the
search engine by HTTPS with a password. SEARCH chooses the engine.
"""

import contextlib
import secrets
import shutil
import tempfile
import unittest
from pathlib import Path

from e2e.harness import SearchSync, engine, render, write_secret
from e2e.harness.tls_front import TlsFront
from e2e.servers import Authority, Stack

_RESOURCES = Path(__file__).parent / "tls"
_SECONDS = 600


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp(prefix="searchsync-tls-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.authority = Authority(folder / "ours")
        cls.stranger = Authority(folder / "stranger", "stranger")
        cls.password = secrets.token_hex(16)
        cls.stack = cls.enterClassContext(Stack(
            authority=cls.authority, kafka_users={"searchsync": cls.password}))
        cls.front = cls.enterClassContext(TlsFront(
            cls.stack.search.address, cls.authority, "searchsync", cls.password))
        cls.stack.postgres.create_database("letters")
        cls.stack.postgres.execute(
            "CREATE TABLE letters (id int PRIMARY KEY, text text);"
            "INSERT INTO letters VALUES (1, 'first')", database="letters")
        cls.resources = cls.stack.run_dir / "resources"
        render(_RESOURCES, cls.resources,
               {"${SEARCH}": cls.front.url, "${KAFKA}": cls.stack.kafka.secure_address})
        cls._trust(cls.authority)
        cls.product = cls.enterClassContext(
            SearchSync(cls.resources, cls.stack.run_dir / "product"))
        cls.product.wait_served("letters", _SECONDS)

    @classmethod
    def _trust(cls, authority: Authority, *names: str) -> None:
        """Writes the secrets, all or those named, so that this authority is believed."""
        login = {"username": "searchsync", "password": cls.password, "ca.crt": authority.pem}
        postgres = cls.stack.postgres
        for name, entries in {
                "engine": login,
                "kafka": {**login, "mechanism": "PLAIN"},
                "letters-db": {"host": postgres.host, "port": str(postgres.port),
                               "dbname": "letters", "username": "postgres",
                               "password": postgres.password(), "ca.crt": authority.pem}}.items():
            if not names or name in names:
                write_secret(cls.resources, name, entries)

    def test_a_change_arrives(self):
        self._write(2, "sealed")
        encrypted = self.stack.postgres.execute(
            "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            "WHERE datname = 'letters' AND pid <> pg_backend_pid()", database="letters")
        self.assertEqual([(True,)], encrypted)

    def test_who_has_another_certificate_is_not_believed(self):
        for number, (name, where) in enumerate(
                {"engine": "search engine", "kafka": "kafka", "letters-db": "capture"}.items()):
            with self.subTest(name):
                with self._distrusted(name):
                    self.product.wait(f"{where} to be distrusted",
                                      lambda: "certificate" in self._complaint(name), _SECONDS)
                self._write(10 + number, f"after {name}")

    @contextlib.contextmanager
    def _distrusted(self, name: str):
        self._trust(self.stranger, name)
        try:
            yield
        finally:
            self._trust(self.authority, name)

    def _complaint(self, name: str) -> str:
        status = self.product.status()
        if name != "letters-db":
            return status["indices"][0]["message"]
        return " ".join(process["message"] for process in status["processes"]
                        if process["role"] == "capture")

    def _write(self, key: int, text: str) -> None:
        self.stack.postgres.execute("INSERT INTO letters VALUES (%s, %s)", [key, text], "letters")
        self.product.wait(f"letter {key}", lambda: engine.source(
            self.stack.search, "letters", str(key)) == {"id": key, "text": text}, _SECONDS)

    def test_no_password_shows(self):
        secrets_ = (self.password, self.stack.postgres.password())
        shown = [self.product.log.read_text(encoding="utf-8"), str(self.product.status())]
        state = self.stack.run_dir / "product" / "state"
        shown += [path.read_text(encoding="utf-8", errors="replace")
                  for path in state.rglob("*.json")]
        for process in self.product.children():
            shown.append(Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8"))
        self.assertGreater(len(shown), 5)
        for text in shown:
            for secret in secrets_:
                self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
