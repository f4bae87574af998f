"""A private PostgreSQL cluster with logical replication."""

import os
import secrets
import shutil
import signal
from pathlib import Path

import psycopg2

from .certificates import Authority
from .errors import ServersError
from .process import Process, run
from .server import LOOPBACK, Server

_USER = "postgres"  # of the system, made by Debian's package; also the superuser's name
_SETTINGS = {
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_connections": "200",
    "fsync": "off",  # a killed process loses nothing by it, only a machine that loses power
}


class Postgres(Server):
    """Everyone logs in with a password, over TCP; encrypted, if there is an authority for that and
    the client wants it. host: see Server."""

    name = "postgres"

    def __init__(self, folder: Path, authority: Authority | None = None,
                 host: str = LOOPBACK):
        super().__init__(folder, host)
        self._bin = _bin_folder()
        self._authority = authority
        self._settings = {**_SETTINGS, "listen_addresses": host, "port": str(self.port)}
        self._passwords = {_USER: secrets.token_hex(12)}

    def uri(self, database: str = "postgres", user: str = _USER) -> str:
        """For libpq. Errors: the user was not made here."""
        return f"postgresql://{user}:{self.password(user)}@{self.address}/{database}"

    def password(self, user: str = _USER) -> str:
        if user not in self._passwords:
            raise ServersError(f"no user {user} was made: call create_user({user!r}) first")
        return self._passwords[user]

    def connect(self, database: str = "postgres", user: str = _USER):
        """A psycopg2 connection, in autocommit mode; the caller closes it."""
        connection = psycopg2.connect(self.uri(database, user), connect_timeout=30)
        connection.autocommit = True
        return connection

    def execute(self, sql: str, parameters=None, database: str = "postgres") -> list[tuple]:
        """Runs the statements as superuser; the rows of the last one, none if it has none."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def create_user(self, user: str, *attributes: str) -> None:
        """attributes: of CREATE ROLE, such as "REPLICATION"."""
        password = secrets.token_hex(12)
        self.execute(f"CREATE ROLE {_quoted(user)} LOGIN {' '.join(attributes)} PASSWORD %s",
                     [password])
        self._passwords[user] = password

    def create_database(self, database: str, owner: str = _USER) -> str:
        """The new database's URI, for its owner."""
        self.execute(f"CREATE DATABASE {_quoted(database)} OWNER {_quoted(owner)}")
        return self.uri(database, owner)

    def describe(self) -> dict:
        return {"address": self.address, "host": self.host, "port": self.port, "user": _USER,
                "password": self.password(), "uri": self.uri()}

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(number=signal.SIGINT)  # ends connections; SIGTERM waits for them

    def _prepare(self) -> Process:
        self._give_folder_to(_USER)
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text(self.password() + "\n", encoding="ascii")
        run([str(self._bin / "initdb"), f"--pgdata={data}", f"--username={_USER}",
             f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8",
             "--locale=C.UTF-8", "--no-sync", "--no-instructions"], user=_USER)
        if self._authority is not None:
            self._encrypt(self._authority)
        if self.host != LOOPBACK:
            with open(data / "pg_hba.conf", "a", encoding="utf-8") as hba:
                hba.writelines(f"host {databases} all all scram-sha-256\n"
                               for databases in ("all", "replication"))
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in self._settings.items())
        return Process(self.name, [str(self._bin / "postgres"), "-D", str(data)], self.log,
                       user=_USER, cwd=self.folder)

    def _encrypt(self, authority: Authority) -> None:
        key = self.folder / "server.key"
        shutil.copy(authority.server_key, key)
        key.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(key, _USER)
        certificate = shutil.copy(authority.server_certificate, self.folder / "server.pem")
        self._settings |= {"ssl": "on", "ssl_key_file": str(key), "ssl_cert_file": certificate}

    def _ready(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True


def _bin_folder() -> Path:
    """Of the newest version that Debian installed."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin")
             if os.access(path / "initdb", os.X_OK)]
    if not found:
        raise ServersError("PostgreSQL is not installed: run `make packages`")
    return max(found, key=lambda path: int(path.parent.name))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
