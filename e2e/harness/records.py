"""Raw Kafka records for tests: any bytes in, everything out. Over librdkafka, there anyway.

Connections are made for each call. Errors: ServersError, if the broker refuses or does not answer.
"""

import ctypes
import itertools
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import dataclass, field

from e2e.servers import Kafka, ServersError

_PRODUCER, _CONSUMER = 0, 1
_COPY = 2                 # RD_KAFKA_MSG_F_COPY
_BEGINNING = -2           # RD_KAFKA_OFFSET_BEGINNING
_PARTITION_EOF = -191     # RD_KAFKA_RESP_ERR__PARTITION_EOF
_ANY_PARTITION = -1
_END, _TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADER = 0, 1, 3, 4, 5, 7, 9  # rd_kafka_vtype_t
_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)


class _Message(Structure):
    _fields_ = [("err", c_int), ("topic", c_void_p), ("partition", c_int32), ("payload", c_void_p),
                ("len", c_size_t), ("key", c_void_p), ("key_len", c_size_t), ("offset", c_int64),
                ("private", c_void_p)]


class _Group(Structure):
    _fields_ = [("broker_id", c_int32), ("broker_host", c_char_p), ("broker_port", c_int),
                ("group", c_char_p), ("err", c_int), ("state", c_char_p),
                ("protocol_type", c_char_p), ("protocol", c_char_p), ("members", c_void_p),
                ("member_count", c_int)]


class _GroupList(Structure):
    _fields_ = [("groups", POINTER(_Group)), ("count", c_int)]


class _Partition(Structure):
    _fields_ = [("topic", c_char_p), ("partition", c_int32), ("offset", c_int64),
                ("metadata", c_void_p), ("metadata_size", c_size_t), ("opaque", c_void_p),
                ("err", c_int), ("private", c_void_p)]


class _PartitionList(Structure):
    _fields_ = [("count", c_int), ("size", c_int), ("elements", POINTER(_Partition))]


_DELIVERED = ctypes.CFUNCTYPE(None, c_void_p, POINTER(_Message), c_void_p)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("librdkafka.so.1")
    for name, result, arguments in (
            ("conf_new", c_void_p, []),
            ("conf_set", c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
            ("conf_set_dr_msg_cb", None, [c_void_p, _DELIVERED]),
            ("new", c_void_p, [c_int, c_void_p, c_char_p, c_size_t]),
            ("destroy", None, [c_void_p]),
            ("topic_new", c_void_p, [c_void_p, c_char_p, c_void_p]),
            ("topic_destroy", None, [c_void_p]),
            ("produce", c_int, [c_void_p, c_int32, c_int, c_char_p, c_size_t, c_char_p, c_size_t,
                                c_void_p]),
            ("producev", c_int, None),
            ("flush", c_int, [c_void_p, c_int]),
            ("consume_start", c_int, [c_void_p, c_int32, c_int64]),
            ("consume", POINTER(_Message), [c_void_p, c_int32, c_int]),
            ("consume_stop", c_int, [c_void_p, c_int32]),
            ("message_destroy", None, [POINTER(_Message)]),
            ("message_headers", c_int, [POINTER(_Message), POINTER(c_void_p)]),
            ("header_get_all", c_int, [c_void_p, c_size_t, POINTER(c_char_p), POINTER(c_void_p),
                                       POINTER(c_size_t)]),
            ("list_groups", c_int, [c_void_p, c_char_p, POINTER(POINTER(_GroupList)), c_int]),
            ("group_list_destroy", None, [POINTER(_GroupList)]),
            ("topic_partition_list_new", POINTER(_PartitionList), [c_int]),
            ("topic_partition_list_add", c_void_p, [POINTER(_PartitionList), c_char_p, c_int32]),
            ("topic_partition_list_set_offset", c_int, [POINTER(_PartitionList), c_char_p, c_int32,
                                                        c_int64]),
            ("topic_partition_list_destroy", None, [POINTER(_PartitionList)]),
            ("commit", c_int, [c_void_p, POINTER(_PartitionList), c_int]),
            ("err2str", c_char_p, [c_int])):
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return library


_rd = _library()


class _Client:
    """A librdkafka client, closed at the end of its `with`."""

    def __init__(self, kind: int, kafka: Kafka, delivered=None, **settings: str):
        conf, error = _rd.rd_kafka_conf_new(), ctypes.create_string_buffer(512)
        settings = {"bootstrap_servers": kafka.address, "log_level": "0", **settings}
        for name, value in settings.items():
            key = name.replace("_", ".") if name != "log_level" else name
            if _rd.rd_kafka_conf_set(conf, key.encode(), value.encode(), error, len(error)) != 0:
                raise ServersError(f"librdkafka: {error.value.decode()}")
        if delivered is not None:
            _rd.rd_kafka_conf_set_dr_msg_cb(conf, delivered)
        self.handle = _rd.rd_kafka_new(kind, conf, error, len(error))
        if not self.handle:
            raise ServersError(f"librdkafka: {error.value.decode()}")

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *error) -> None:
        _rd.rd_kafka_destroy(self.handle)


def produce(kafka: Kafka, topic: str, records: list[tuple[bytes | None, bytes | None]],
            partition: int = _ANY_PARTITION,
            partitioner: str = "consistent_random") -> list[tuple[int, int]]:
    """Keys and values, None for none. Returns partition and offset of each when all are written.
    partitioner: murmur2_random is that of Kafka's own clients."""
    places: list[tuple[int, int]] = [(-1, -1)] * len(records)
    failures: list[str] = []

    def delivered(_client, message, _opaque):
        sent = message.contents
        if sent.err != 0:
            failures.append(_rd.rd_kafka_err2str(sent.err).decode())
        else:
            places[(sent.private or 0) - 1] = (sent.partition, sent.offset)

    callback = _DELIVERED(delivered)
    with _Client(_PRODUCER, kafka, callback, acks="all", partitioner=partitioner,
                 message_timeout_ms=str(_TIMEOUT_MS)) as client:
        handle = _rd.rd_kafka_topic_new(client.handle, topic.encode(), None)
        for number, (key, value) in enumerate(records, 1):
            if _rd.rd_kafka_produce(handle, partition, _COPY, value, len(value or b""), key,
                                    len(key or b""), number) != 0:
                failures.append("librdkafka's queue is full")
        late = _rd.rd_kafka_flush(client.handle, _TIMEOUT_MS + 5000) != 0
        _rd.rd_kafka_topic_destroy(handle)
    if failures or late:
        raise ServersError(f"{topic}: not all of {len(records)} records were written: "
                           f"{failures[:3] or 'no answer in time'}")
    return places


def produce_with_headers(kafka: Kafka, topic: str, record: tuple[bytes, bytes],
                         headers: dict[str, str], partition: int = 0) -> None:
    """One key and value. Returns when it is written."""
    failures: list[str] = []

    def delivered(_client, message, _opaque):
        if message.contents.err != 0:
            failures.append(_rd.rd_kafka_err2str(message.contents.err).decode())

    callback = _DELIVERED(delivered)
    key, value = record
    arguments = [c_int(_TOPIC), c_char_p(topic.encode()), c_int(_PARTITION), c_int32(partition),
                 c_int(_FLAGS), c_int(_COPY), c_int(_KEY), c_char_p(key), c_size_t(len(key)),
                 c_int(_VALUE), c_char_p(value), c_size_t(len(value))]
    for name, text in headers.items():
        arguments += [c_int(_HEADER), c_char_p(name.encode()), c_char_p(text.encode()),
                      c_size_t(len(text.encode()))]
    with _Client(_PRODUCER, kafka, callback, acks="all",
                 message_timeout_ms=str(_TIMEOUT_MS)) as client:
        code = _rd.rd_kafka_producev(c_void_p(client.handle), *arguments, c_int(_END))
        if code != 0:
            failures.append(_rd.rd_kafka_err2str(code).decode())
        late = _rd.rd_kafka_flush(client.handle, _TIMEOUT_MS + 5000) != 0
    if failures or late:
        raise ServersError(f"{topic}: the record was not written: {failures or 'no answer'}")


def consume(kafka: Kafka, topic: str) -> list[Record]:
    """All records that are in the topic now, partition by partition."""
    records = []
    with _Client(_CONSUMER, kafka, enable_partition_eof="true",
                 group_id="searchsync-e2e") as client:
        handle = _rd.rd_kafka_topic_new(client.handle, topic.encode(), None)
        for partition in range(kafka.topics()[topic]):
            _rd.rd_kafka_consume_start(handle, partition, _BEGINNING)
            records += _read_partition(handle, partition)
            _rd.rd_kafka_consume_stop(handle, partition)
        _rd.rd_kafka_topic_destroy(handle)
    return records


def group_members(kafka: Kafka, group: str) -> int:
    """How many consumers the group has; 0 if there is no such group."""
    with _Client(_PRODUCER, kafka) as client:
        found = POINTER(_GroupList)()
        code = _rd.rd_kafka_list_groups(client.handle, group.encode(), byref(found), _TIMEOUT_MS)
        if code != 0:
            raise ServersError(f"group {group}: {_rd.rd_kafka_err2str(code).decode()}")
        count = sum(found.contents.groups[i].member_count for i in range(found.contents.count))
        _rd.rd_kafka_group_list_destroy(found)
    return count


def commit(kafka: Kafka, group: str, topic: str, partition: int, offset: int) -> None:
    """Sets where a group reads on, which nobody is in. Errors: somebody is."""
    with _Client(_CONSUMER, kafka, group_id=group) as client:
        wanted = _rd.rd_kafka_topic_partition_list_new(1)
        _rd.rd_kafka_topic_partition_list_add(wanted, topic.encode(), partition)
        _rd.rd_kafka_topic_partition_list_set_offset(wanted, topic.encode(), partition, offset)
        code = _rd.rd_kafka_commit(client.handle, wanted, 0)
        _rd.rd_kafka_topic_partition_list_destroy(wanted)
        if code != 0:
            raise ServersError(f"group {group}: {_rd.rd_kafka_err2str(code).decode()}")


def _read_partition(handle, partition: int) -> list[Record]:
    records = []
    while True:
        message = _rd.rd_kafka_consume(handle, partition, _TIMEOUT_MS)
        if not message:
            raise ServersError(f"partition {partition}: no record and no end in time")
        try:
            got = message.contents
            if got.err == _PARTITION_EOF:
                return records
            if got.err != 0:
                raise ServersError(f"partition {partition}: "
                                   f"{_rd.rd_kafka_err2str(got.err).decode()}")
            records.append(Record(got.partition, got.offset, _bytes(got.key, got.key_len),
                                  _bytes(got.payload, got.len), _headers(message)))
        finally:
            _rd.rd_kafka_message_destroy(message)


def _headers(message) -> dict[str, bytes]:
    headers, found = c_void_p(), {}
    if _rd.rd_kafka_message_headers(message, byref(headers)) != 0:
        return found
    name, value, size = c_char_p(), c_void_p(), c_size_t()
    for place in itertools.count():
        if _rd.rd_kafka_header_get_all(headers, place, byref(name), byref(value),
                                       byref(size)) != 0:
            return found
        found[name.value.decode()] = _bytes(value.value, size.value) or b""


def _bytes(address: int | None, size: int) -> bytes | None:
    return ctypes.string_at(address, size) if address else None
