"""What a page of docs/ has people type, and what it says comes."""

import json
import re
from typing import Any, Iterator


def examples(page: str) -> Iterator[tuple[str, Any]]:
    """Each script of the page, with what it must print: JSON, or a text."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for (kind, script), (follows, expected) in zip(blocks, blocks[1:]):
        if kind == "sh":
            yield script, json.loads(expected) if follows == "json" else expected


def json_values(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at)
        yield value
