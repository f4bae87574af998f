"""Kafka, one node as broker and controller."""

from pathlib import Path
from typing import Mapping

from . import artefacts, cache, java, ports
from .certificates import Authority
from .errors import ServersError
from .kafka_wire import (NOT_LEADER, TOO_FEW_BROKERS, UNKNOWN_TOPIC, Metadata, Refused,
                         Wire)
from .process import Process, run, wait_until
from .server import LOOPBACK, Server

SERVER_LOGGING = """\
status = error
shutdownHook = disable
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_TOOL_LOGGING = SERVER_LOGGING.replace("level = info", "level = error").replace(
    "appender.console.name", "appender.console.target = SYSTEM_ERR\nappender.console.name")


def _java_home() -> Path:
    return java.find(17, 25)


class Kafka(Server):
    """heap: as for -Xmx. jit: see Stack. users: passwords by name; with them there is
    `secure_address` besides, for TLS and SASL PLAIN, with the server's key and certificate of
    `authority`. host: see Server; clients are told it."""

    name = "kafka"

    def __init__(self, folder: Path, heap: str = "512m", authority: Authority | None = None,
                 users: Mapping[str, str] | None = None, host: str = LOOPBACK,
                 jit: bool = False):
        super().__init__(folder, host)
        self._heap = heap
        self._compiler = [] if jit else [java.SHORT_LIVED]
        self._controller = f"{self.host}:{ports.take()}"
        self._settings = self._defaults()
        if authority is not None:
            self.secure_address = f"{self.host}:{ports.take()}"
            self._settings |= self._secure(authority, users or {})
        self._wire = Wire(self.host, self.port)

    def create_topic(self, name: str, partitions: int = 1,
                     config: dict[str, str] | None = None) -> None:
        """Returns when every partition can be read and written."""
        wait_until(lambda: self._created(name, partitions, config or {}), 60,
                   lambda: f"no broker takes topic {name}")
        wait_until(lambda: self._led(name), 60, lambda: f"topic {name} has no leaders")

    def restart(self) -> None:
        super().restart()
        wait_until(lambda: all(map(self._led, self.topics())), 60,
                   lambda: "the broker does not lead all topics")

    def delete_topic(self, name: str) -> None:
        """Returns when the broker knows it no more."""
        self._wire.delete_topic(name)
        wait_until(lambda: self._leaders(name) is None, 60,
                   lambda: f"topic {name} is still there")

    def topics(self) -> dict[str, int]:
        """Each topic with its number of partitions."""
        return {name: len(leaders) for name, leaders in self.metadata().topics.items()}

    def end_offsets(self, topic: str) -> dict[int, int]:
        """By partition: the offset that the next record gets."""
        leaders = self._leaders(topic)
        if leaders is None:
            raise ServersError(f"there is no topic {topic}")
        return self._wire.end_offsets(topic, len(leaders))

    def produce(self, topic: str, records: list[tuple[str, str]]) -> None:
        """Keys and values without line breaks, no tab in a key. Returns when Kafka has them.
        Starts a Java: for few, large calls. Errors: one was not taken."""
        lines = "".join(f"{key}\t{value}\n" for key, value in records)
        output = self.tool("org.apache.kafka.tools.ConsoleProducer", "--topic", topic,
                           "--reader-property", "parse.key=true", "--request-required-acks", "all",
                           "--max-block-ms", "10000", stdin=lines)
        if "ERROR" in output:  # it is only logged; the exit code is 0
            raise ServersError(f"{output}\nnot every record was written to {topic}")

    def consume(self, topic: str, count: int, seconds: float = 300) -> list[tuple[str, str]]:
        """The first `count` records as key and value, in the order of each partition. Starts a
        Java. Errors: fewer arrive in time."""
        output = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic,
                           "--from-beginning", "--max-messages", str(count),
                           "--formatter-property", "print.key=true", seconds=seconds)
        rows = [line.split("\t", 1) for line in output.splitlines() if "\t" in line]
        if len(rows) != count:
            raise ServersError(f"{output}\n{len(rows)} of {count} records read from {topic}")
        return [(key, value) for key, value in rows]

    def tool(self, main_class: str, *arguments: str, stdin: str | None = None,
             seconds: float = 300) -> str:
        """The output of one of Kafka's command-line classes, connected to this broker."""
        return run([*self._java(java.SHORT_LIVED, "-XX:+UseSerialGC", logging="tool"),
                    main_class, "--bootstrap-server", self.address, *arguments],
                   stdin=stdin, seconds=seconds)

    def metadata(self, seconds: float = 30) -> Metadata:
        """Errors: OSError if the broker does not answer in that time."""
        return Wire(self.host, self.port, seconds).metadata()

    def describe(self) -> dict:
        return {"address": self.address, "bootstrap": self.address}

    def _prepare(self) -> Process:
        (self.folder / "server-log4j2.properties").write_text(SERVER_LOGGING, encoding="utf-8")
        (self.folder / "tool-log4j2.properties").write_text(_TOOL_LOGGING, encoding="utf-8")
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings.items()),
                              encoding="utf-8")
        run([*self._java(java.SHORT_LIVED, "-XX:+UseSerialGC", logging="tool"),
             "kafka.tools.StorageTool", "format", "--standalone",
             "--cluster-id", "c2VhcmNoc3luYy1lMmUAAA", "--config", str(properties)])

        def process(*options: str) -> Process:
            command = self._java(f"-Xmx{self._heap}", "-XX:+ExitOnOutOfMemoryError",
                                 *self._compiler, *options, logging="server")
            return Process(self.name, [*command, "kafka.Kafka", str(properties)], self.log,
                           cwd=self.folder)

        return java.with_shared_classes(_java_home(), artefacts.KAFKA.name, process, self._ready)

    def _ready(self) -> bool:
        try:
            return bool(self.metadata(1).brokers)
        except OSError:
            return False

    def _created(self, topic: str, partitions: int, config: dict[str, str]) -> bool:
        """A broker that was paused is shut out, and let in again a moment after it goes on."""
        try:
            self._wire.create_topic(topic, partitions, config)
        except Refused as refused:
            if refused.code == TOO_FEW_BROKERS:
                return False
            raise
        return True

    def _led(self, topic: str) -> bool:
        """The metadata are not enough: they name a leader before it knows that it leads."""
        try:
            return min(self._leaders(topic) or [-1]) >= 0 and bool(self.end_offsets(topic))
        except Refused as refused:
            if refused.code == NOT_LEADER or refused.code == UNKNOWN_TOPIC:
                return False
            raise

    def _leaders(self, topic: str) -> list[int] | None:
        return self.metadata().topics.get(topic)

    def _java(self, *options: str, logging: str) -> list[str]:
        return [str(_java_home() / "bin" / "java"), *options,
                f"-Dlog4j2.configurationFile={self.folder / f'{logging}-log4j2.properties'}",
                "-cp", f"{cache.get(artefacts.KAFKA)}/*"]

    def _secure(self, authority: Authority, users: Mapping[str, str]) -> dict[str, str]:
        place = self.folder / "server.pem"
        place.write_text(authority.server_pem(), encoding="ascii")
        place.chmod(0o600)
        listeners = f"{self._settings['listeners']},SECURE://{self.secure_address}"
        logins = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        prefix = "listener.name.secure"
        return {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map":
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            f"{prefix}.ssl.keystore.type": "PEM",
            f"{prefix}.ssl.keystore.location": str(place),
            f"{prefix}.sasl.enabled.mechanisms": "PLAIN",
            f"{prefix}.plain.sasl.jaas.config":
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f"{logins};",
        }

    def _defaults(self) -> dict[str, str]:
        """The heartbeat's timeout is short because a broker that was killed is let in again only
        when its old session has expired; the internal topics are small because each partition
        costs files and time."""
        listeners = f"PLAINTEXT://{self.address},CONTROLLER://{self._controller}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": self._controller,
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }
