"""Kafka Connect with Debezium's PostgreSQL connector, in one process."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Mapping

from . import artefacts, cache, java
from .kafka import SERVER_LOGGING, Kafka
from .process import Process
from .server import Server


class Connect(Server):
    """connectors: by name, their configuration; topics are made as they need them."""

    name = "connect"

    def __init__(self, folder: Path, kafka: Kafka, connectors: Mapping[str, Mapping[str, str]],
                 heap: str = "512m"):
        super().__init__(folder)
        self._kafka = kafka
        self._connectors = connectors
        self._heap = heap

    def describe(self) -> dict:
        return {"address": self.address}

    def _prepare(self) -> Process:
        logging = self.folder / "log4j2.properties"
        logging.write_text(SERVER_LOGGING, encoding="utf-8")
        files = [self._write("worker", {
            "bootstrap.servers": self._kafka.address,
            "listeners": f"http://{self.address}",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": str(self.folder / "offsets"),
            "offset.flush.interval.ms": "1000",
        })]
        for name, settings in self._connectors.items():
            files.append(self._write(name, {
                "name": name,
                "topic.creation.default.replication.factor": "1",
                "topic.creation.default.partitions": "2",
                "topic.creation.default.cleanup.policy": "compact",
                **settings}))
        return Process(self.name, [
            str(java.find(17, 25) / "bin" / "java"), f"-Xmx{self._heap}", "-XX:+UseSerialGC",
            java.SHORT_LIVED,
            f"-Dlog4j2.configurationFile={logging}", "-cp", f"{cache.get(artefacts.CONNECT)}/*",
            "org.apache.kafka.connect.cli.ConnectStandalone", *files], self.log, cwd=self.folder)

    def _write(self, name: str, settings: Mapping[str, str]) -> str:
        path = self.folder / f"{name}.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()),
                        encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    def _ready(self) -> bool:
        try:
            for name in self._connectors:
                with urllib.request.urlopen(f"http://{self.address}/connectors/{name}/status",
                                            timeout=1) as answer:
                    if b'"tasks":[{"id":0,"state":"RUNNING"' not in answer.read():
                        return False
        except (urllib.error.HTTPError, OSError):
            return False
        return True
