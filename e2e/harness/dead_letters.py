"""What is kept of records that could not be used."""

from e2e.servers import Kafka

from . import records


class DeadLetter:
    """A record of the dead-letter topic: key and value are those that could not be used, byte for
    byte; why, and where they came from, is in headers."""

    def __init__(self, record: records.Record):
        headers = {name.removeprefix("searchsync-"): value.decode()
                   for name, value in record.headers.items()}
        self.binding = headers["binding"]
        self.topic = headers["topic"]
        self.place = int(headers["partition"]), int(headers["offset"])
        self.reason = headers["reason"]
        self.key = record.key
        self.payload = record.value

    def __repr__(self) -> str:
        return f"{self.topic} {self.place}: {self.reason}: {self.payload!r}"


def dead_letters(kafka: Kafka, index: str) -> list[DeadLetter]:
    """All of an index, dealt with or not; none if it has no such topic yet."""
    topic = topic_of(index)
    if topic not in kafka.topics():
        return []
    return [DeadLetter(record) for record in records.consume(kafka, topic)
            if "searchsync-done" not in record.headers]


def topic_of(index: str) -> str:
    return f"searchsync.default.{index}.dead-letters"
