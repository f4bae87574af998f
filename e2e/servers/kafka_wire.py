"""As much of Kafka's protocol as a test needs to look after topics, with no Java to start.

Requests are of versions without tagged fields, which Kafka 4 serves. Source: the message
definitions in kafka-clients, common/message/*.json.
"""

import socket
import struct
from dataclasses import dataclass

from .errors import ServersError

_LIST_OFFSETS, _METADATA, _CREATE_TOPICS, _DELETE_TOPICS = 2, 3, 19, 20
_LATEST = -1
_TIMEOUT_MS = 30_000


UNKNOWN_TOPIC, NOT_LEADER, TOO_FEW_BROKERS = 3, 6, 38  # error codes


class Refused(ServersError):
    def __init__(self, code: int, doing: str):
        super().__init__(f"Kafka refused, with error code {code}, {doing}")
        self.code = code


@dataclass(frozen=True)
class Metadata:
    brokers: list[int]
    topics: dict[str, list[int]]  # the leader of each partition, -1 for none


class Wire:
    """Sends each request over a connection of its own. Errors: OSError if the server does not
    answer within `seconds`; Refused."""

    def __init__(self, host: str, port: int, seconds: float = 60):
        self._address = (host, port)
        self._seconds = seconds

    def metadata(self) -> Metadata:
        reader = self._ask(_METADATA, 1, _int32(-1))
        brokers = []
        for _ in range(reader.int32()):
            brokers.append(reader.int32())
            reader.string(), reader.int32(), reader.string()  # host, port, rack
        reader.int32()  # controller
        return Metadata(brokers, dict(_topic(reader) for _ in range(reader.int32())))

    def create_topic(self, name: str, partitions: int, config: dict[str, str]) -> None:
        configs = [_string(key) + _string(value) for key, value in config.items()]
        topic = (_string(name) + _int32(partitions) + _int16(1) + _array([]) + _array(configs))
        reader = self._ask(_CREATE_TOPICS, 4, _array([topic]) + _int32(_TIMEOUT_MS) + b"\0")
        reader.int32()  # throttle time
        for _ in range(reader.int32()):
            refused, code, message = reader.string(), reader.int16(), reader.string()
            _check(code, f"creating topic {refused}: {message}")

    def delete_topic(self, name: str) -> None:
        reader = self._ask(_DELETE_TOPICS, 1, _array([_string(name)]) + _int32(_TIMEOUT_MS))
        reader.int32()  # throttle time
        for _ in range(reader.int32()):
            refused, code = reader.string(), reader.int16()
            _check(code, f"deleting topic {refused}")

    def end_offsets(self, topic: str, partitions: int) -> dict[int, int]:
        """The offset after the last record of each partition; counts aborted ones and markers."""
        asked = [_int32(partition) + struct.pack(">q", _LATEST) for partition in range(partitions)]
        body = _int32(-1) + _array([_string(topic) + _array(asked)])
        reader = self._ask(_LIST_OFFSETS, 1, body)
        offsets = {}
        for _ in range(reader.int32()):
            reader.string()
            for _ in range(reader.int32()):
                partition, code = reader.int32(), reader.int16()
                _check(code, f"end offset of {topic}-{partition}")
                reader.int64()  # timestamp
                offsets[partition] = reader.int64()
        return offsets

    def _ask(self, key: int, version: int, body: bytes) -> "_Reader":
        head = struct.pack(">hhi", key, version, 0) + _string("searchsync-e2e")
        with socket.create_connection(self._address, timeout=self._seconds) as connection:
            connection.sendall(_int32(len(head) + len(body)) + head + body)
            size = struct.unpack(">i", _receive(connection, 4))[0]
            reader = _Reader(_receive(connection, size))
        reader.int32()  # correlation id
        return reader


class _Reader:
    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def int16(self) -> int:
        return self._unpack(">h")

    def int32(self) -> int:
        return self._unpack(">i")

    def int64(self) -> int:
        return self._unpack(">q")

    def string(self) -> str | None:
        size = self.int16()
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size:self._at].decode()

    def skip(self, count: int) -> None:
        self._at += count

    def _unpack(self, form: str) -> int:
        value = struct.unpack_from(form, self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return value


def _topic(reader: _Reader) -> tuple[str, list[int]]:
    reader.int16()  # error: told by the leaders
    name = reader.string()
    reader.skip(1)  # internal
    leaders = {}
    for _ in range(reader.int32()):
        reader.int16()
        partition = reader.int32()
        leaders[partition] = reader.int32()
        for _ in ("replicas", "in sync"):
            reader.skip(4 * reader.int32())
    return name, [leaders[partition] for partition in sorted(leaders)]


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("Kafka closed the connection instead of answering")
        data += more
    return data


def _check(code: int, doing: str) -> None:
    if code != 0:
        raise Refused(code, doing)


def _int16(value: int) -> bytes:
    return struct.pack(">h", value)


def _int32(value: int) -> bytes:
    return struct.pack(">i", value)


def _string(value: str) -> bytes:
    data = value.encode()
    return _int16(len(data)) + data


def _array(items: list[bytes]) -> bytes:
    return _int32(len(items)) + b"".join(items)
