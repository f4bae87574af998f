"""What is declared: many SearchIndexes, each with three SourceBindings, in some namespaces."""

import base64
from typing import Any, Iterable, Iterator

GROUP = "/apis/searchsync.io/v1alpha1"
BINDINGS = 3  # of each index
_VERSION = "searchsync.io/v1alpha1"
_TYPES = ("keyword", "text", "long", "double", "date", "boolean")


class Declared:
    """indices: how many. Each of `namespaces` has one secret, for all of its indices. topics: that
    bindings read, several each."""

    def __init__(self, indices: int, namespaces: int, topics: int, partitions: int):
        self.indices = indices
        self.bindings = indices * BINDINGS
        self.namespaces = [f"team-{number}" for number in range(namespaces)]
        self.topics = [f"source-{number}" for number in range(topics)]
        self._partitions = partitions

    def key(self, number: int) -> str:
        return f"{self.namespaces[number % len(self.namespaces)]}/orders-{number:04}"

    def path(self, number: int) -> str:
        """Of a SearchIndex."""
        namespace, name = self.key(number).split("/")
        return f"{GROUP}/namespaces/{namespace}/searchindices/{name}"

    def beside(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Namespaces, then their secrets: each with the path of its collection."""
        for name in self.namespaces:
            yield "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                         "metadata": {"name": name}}
        for name in self.namespaces:
            yield f"/api/v1/namespaces/{name}/secrets", {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "engine"},
                "data": {"apiKey": base64.b64encode(b"key").decode()}}

    def resources(self, engine: str, kafka: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for number in range(self.indices):
            namespace, name = self.key(number).split("/")
            folder = f"{GROUP}/namespaces/{namespace}"
            yield f"{folder}/searchindices", self._index(name, engine, kafka)
            for part, binding in enumerate(self._bindings(name)):
                binding["spec"]["source"] = {"kafka": {
                    "topic": self.topics[(number + part) % len(self.topics)]}}
                yield f"{folder}/sourcebindings", binding

    def _index(self, name: str, engine: str, kafka: str) -> dict[str, Any]:
        properties = {f"field{i}": {"type": _TYPES[i % len(_TYPES)]} for i in range(12)}
        return {"apiVersion": _VERSION, "kind": "SearchIndex", "metadata": {"name": name}, "spec": {
            "elasticsearch": {"urls": [engine], "credentialsSecretRef": {"name": "engine"}},
            "kafka": {"bootstrapServers": [kafka]},
            "workers": {"partitions": self._partitions},
            "mappings": {"dynamic": "strict", "properties": {
                "id": {"type": "keyword"}, **properties,
                "customerName": {"type": "keyword"}, "customerCity": {"type": "keyword"},
                "lines": {"type": "nested", "properties": {
                    "sku": {"type": "keyword"}, "count": {"type": "long"}}}}}}}

    def _bindings(self, index: str) -> Iterable[dict[str, Any]]:
        yield _binding(index, "root", {"root": {}}, [
            {"from": "id", "to": "id"}, *({"from": f"field_{i}", "to": f"field{i}"}
                                          for i in range(12))])
        yield _binding(index, "customer", {"lookup": {"of": "root", "from": ["customer_id"]}}, [
            {"from": "name", "to": "customerName"}, {"from": "city", "to": "customerCity"}])
        yield _binding(index, "line", {"children": {
            "from": ["order_id"], "into": "lines", "orderBy": [{"column": "sku"}]}}, [
                {"from": "sku", "to": "sku"}, {"from": "count", "to": "count"}])


def unrelated(namespace: str, count: int, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Secrets and ConfigMaps, so many of each, that nobody here has to do with."""
    text = base64.b64encode(bytes(range(256)) * (size * 3 // 4 // 256)).decode()
    for number in range(count):
        meta = {"name": f"unrelated-{number}"}
        yield f"/api/v1/namespaces/{namespace}/secrets", {
            "apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"text": text}}
        yield f"/api/v1/namespaces/{namespace}/configmaps", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}}


def _binding(index: str, part: str, relation: dict[str, Any],
             fields: list[dict[str, str]]) -> dict[str, Any]:
    return {"apiVersion": _VERSION, "kind": "SourceBinding",
            "metadata": {"name": f"{index}-{part}"},
            "spec": {"indexRef": {"name": index}, "key": ["id"], "relation": relation,
                     "fields": fields}}
