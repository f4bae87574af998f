"""Resources that an API server refuses, and what it says of each."""

import copy
from typing import Any

API = "searchsync.io/v1alpha1"

INDEX = {
    "apiVersion": API, "kind": "SearchIndex", "metadata": {"name": "runs", "namespace": "default"},
    "spec": {"elasticsearch": {"urls": ["http://es:9200"]},
             "kafka": {"bootstrapServers": ["kafka:9092"]},
             "mappings": {"properties": {"title": {"type": "keyword"}}}},
}
BINDING = {
    "apiVersion": API, "kind": "SourceBinding",
    "metadata": {"name": "run", "namespace": "default"},
    "spec": {"indexRef": {"name": "runs"}, "source": {"kafka": {"topic": "runs"}}, "key": ["id"],
             "relation": {"root": {}}, "fields": [{"from": "id", "to": "id"}]},
}
_LINK = {"root": None, "link": {"near": ["a"], "far": ["b"], "into": "others"}}
_CHILDREN = {"root": None, "children": {"from": ["a"], "into": "steps"}}
_LOOKUP = {"root": None, "lookup": {"of": "root", "from": ["a"]}}

_COLUMNS = [{"name": "id"}, {"name": "size", "type": "Integer"}, {"name": "more", "type": "Json"},
            {"name": "at", "type": "Timestamp"}]
_EVENT = {
    "apiVersion": API, "kind": "SourceBinding",
    "metadata": {"name": "event", "namespace": "default"},
    "spec": {"indexRef": {"name": "runs"},
             "source": {"http": {"paths": ["/events"], "columns": _COLUMNS, "eventId": "id"}},
             "key": ["id"], "relation": {"root": {}}},
}
_COUNTED = {
    "apiVersion": API, "kind": "SourceBinding",
    "metadata": {"name": "domain", "namespace": "default"},
    "spec": {"indexRef": {"name": "runs"}, "source": {"kafka": {"topic": "d", "format": "Json"}},
             "key": ["domain"], "relation": {"root": {}},
             "aggregate": {
                 "columns": [{"name": "sent", "where": [{"column": "type", "values": ["sent"]}]},
                             {"name": "bytes", "compute": "Sum", "column": "size"}],
                 "derived": [{"name": "status", "otherwise": "unknown", "rules": [
                     {"when": [{"column": "sent", "min": 1}], "value": "known"}]}]}},
}
_DATABASE = {
    "apiVersion": API, "kind": "SearchIndex", "metadata": {"name": "shop", "namespace": "default"},
    "spec": {"elasticsearch": {"urls": ["http://es:9200"]},
             "kafka": {"bootstrapServers": ["kafka:9092"]}, "tables": {}},
}
_ALL_TABLES = {
    "apiVersion": API, "kind": "SourceBinding",
    "metadata": {"name": "shop-db", "namespace": "default"},
    "spec": {"indexRef": {"name": "shop"},
             "source": {"postgres": {"secretRef": {"name": "db"},
                                     "tables": {"include": ["public.*"]}}}},
}
_KEYS = "names a column that is not there, may be absent, or is of type Number or Json: name"
_ADD = {"name": "add", "function": "shop.add"}


def _table(name: str) -> dict[str, Any]:
    return {"postgres": {"secretRef": {"name": "db"}, "table": name}}


# Object, what is changed in it (None: taken away), and where and how that is refused.
REFUSED = [
    (INDEX, {"metadata.name": "a.b"},
     {"metadata.name": "expected at most 63 lowercase letters"}),
    (INDEX, {"metadata.name": "a" * 64},
     {"metadata.name": "expected at most 63 lowercase letters"}),
    (INDEX, {"spec.kafka": None}, {"spec.kafka": "Required value"}),
    (INDEX, {"spec.mappings": None}, {"spec.mappings": "expected exactly one of mappings and"}),
    (_DATABASE, {"spec.mappings": {}}, {"spec.mappings": "expected exactly one of mappings and"}),
    (_DATABASE, {"spec.query": {"filterable": ["id"]}},
     {"spec.query": "which relate by their foreign keys: remove them"}),
    (_DATABASE, {"spec.partitioning": {"field": "at", "retain": "30d"}},
     {"spec.partitioning": "has no meaning with `tables`: give a table of events an index of its"}),
    (_DATABASE, {"spec.reindex": {"checks": [{"name": "a", "query": {"match_all": {}}}]}},
     {"spec.reindex.checks": "are of one index, and with `tables` there are many"}),
    (_DATABASE, {"spec.tables": {"mapings": {}}}, {"": 'unknown field "spec.tables.mapings"'}),
    (_ALL_TABLES, {"spec.key": ["id"]},
     {"spec.key": "with `source.postgres.tables` each table has its own: remove it"}),
    (_ALL_TABLES, {"spec.relation": _CHILDREN},
     {"spec.relation": "the rows of each table are documents: remove it"}),
    (_ALL_TABLES, {"spec.fields": [{"from": "a", "to": "b"}]},
     {"spec.fields": "each column is a field: remove them"}),
    (_ALL_TABLES, {"spec.source.postgres.table": "public.users"},
     {"spec.source.postgres.table": "expected exactly one of table and tables"}),
    (_ALL_TABLES, {"spec.source.postgres.tables": None},
     {"spec.source.postgres.table": "expected exactly one of table and tables"}),
    (_ALL_TABLES, {"spec.source.postgres.tables.exclude": ["audit"]},
     {"spec.source.postgres.tables.exclude[0]": "expected tables as schema.table"}),
    (BINDING, {"spec.key": None}, {"spec.key": "is required: add it"}),
    (BINDING, {"spec.relation": None}, {"spec.relation": "is required: add it"}),
    (INDEX, {"spec.shards": 0}, {"spec.shards": "greater than or equal to 1"}),
    (INDEX, {"spec.drift": "Ignore"},
     {"spec.drift": 'supported values: "Correct", "Report"'}),
    (INDEX, {"spec.partitioning": {"field": "at"}},
     {"spec.partitioning.retain": "Required value"}),
    (INDEX, {"spec.partitioning": {"retain": "30d"}},
     {"spec.partitioning.field": "Required value"}),
    (INDEX, {"spec.partitioning": {"field": "at", "retain": "30d", "every": "Week"}},
     {"spec.partitioning.every": 'supported values: "Hour", "Day", "Month"'}),
    (INDEX, {"spec.partitioning": {"field": "at", "retain": "30d", "onMappingChange": "Ignore"}},
     {"spec.partitioning.onMappingChange": 'supported values: "Rebuild", "NewPartitions"'}),
    (INDEX, {"spec.partitioning": {"field": "at", "retain": "10m", "ahead": "31d"}},
     {"spec.partitioning.retain": "expected a duration from 1h to 3650d",
      "spec.partitioning.ahead": "expected a duration from 0s to 30d"}),
    (INDEX, {"spec.partitioning": {"field": "at", "retain": "2401h", "every": "Hour"}},
     {"spec.partitioning.retain": "is more than 100d, which is too many indices of an hour"}),
    (INDEX, {"spec.shard": 1}, {"": 'unknown field "spec.shard"'}),
    (INDEX, {"spec.elasticsearch.urls": []}, {"spec.elasticsearch.urls": "at least 1 items"}),
    (INDEX, {"spec.elasticsearch.urls": ["http://es", "http://es"]},
     {"spec.elasticsearch.urls[1]": "Duplicate value"}),
    (INDEX, {"spec.elasticsearch.urls": ["http://me:secret@es:9200", "es:9200", "http://es/?a",
                                         "ftp://es", "http://es:65536"]},
     {"spec.elasticsearch.urls[0]": "put them into a secret and name it in credentialsSecretRef",
      "spec.elasticsearch.urls[1]": "expected a URL as http://host:9200 or https://host:9200",
      "spec.elasticsearch.urls[2]": "without spaces, ? and #",
      "spec.elasticsearch.urls[3]": "expected a URL",
      "spec.elasticsearch.urls[4]": "expected a URL"}),
    (INDEX, {"spec.elasticsearch.urls": ["http://es/" + 1100 * "ü"]},
     {"spec.elasticsearch.urls[0]": "is longer than 2048 bytes: shorten it"}),
    (INDEX, {"spec.kafka.bootstrapServers": ["kafka", "kafka:0", "http://kafka:9092", "[::1]"]},
     {f"spec.kafka.bootstrapServers[{number}]": "expected a broker as host:port, such as kafka:9092"
      for number in range(4)}),
    (INDEX, {"spec.kafka.credentialsSecretRef": {"name": "Kafka"},
              "spec.kafka.caSecretRef": {"name": "ca", "key": "ca/crt"}},
     {"spec.kafka.credentialsSecretRef.name": "expected a name of lowercase letters",
      "spec.kafka.caSecretRef.key": "expected a key of letters, digits, dots, _ and -"}),
    (INDEX, {"spec.indexName": "Runs"}, {"spec.indexName": "expected an index name: no capitals"}),
    (INDEX, {"spec.indexName": 101 * "ü"}, {"spec.indexName": "is longer than 200 bytes"}),
    (INDEX, {"spec.mappings": {"properties": ["title"]}},
     {"spec.mappings.properties": "must be of type object"}),
    (INDEX, {"spec.refreshInterval": "1y", "spec.query.timeout": "50ms",
              "spec.reindex.keepWarm": "100d", "spec.reindex.cutover.stableFor": "500ms",
              "spec.workers.sessionTimeout": "31m", "spec.workers.bulk.delay": "11s",
              "spec.workers.autoscaling": {"max": 2, "targetLag": "0s", "scaleDownAfter": "25h"}},
     {"spec.refreshInterval": "expected a duration from 100ms to 1h: a whole number and one of ms,",
      "spec.query.timeout": "expected a duration from 100ms to 5m",
      "spec.reindex.keepWarm": "expected a duration from 0s to 90d",
      "spec.reindex.cutover.stableFor": "expected a duration from 0s to 24h",
      "spec.workers.sessionTimeout": "expected a duration from 1s to 30m",
      "spec.workers.bulk.delay": "expected a duration from 0s to 10s",
      "spec.workers.autoscaling.targetLag": "expected a duration from 1s to 24h",
      "spec.workers.autoscaling.scaleDownAfter": "expected a duration from 1s to 24h"}),
    (INDEX, {"spec.reindex.approved": "runs-1"},
     {"spec.reindex.approved": "has no meaning without `approval: Manual`: add that, or remove"}),
    (INDEX, {"spec.reindex.checks": [{"name": "Some", "query": {}, "hitsMin": 5, "hitsMax": 4}]},
     {"spec.reindex.checks[0].hitsMin": "is more than hitsMax: no index could pass; lower it, or",
      "spec.reindex.checks[0].name": "expected a name of lowercase letters, digits and -"}),
    (INDEX, {"spec.reindex.checks": 2 * [{"name": "some", "query": {}}]},
     {"spec.reindex.checks[1]": "Duplicate value"}),
    (INDEX, {"spec.workers": {"partitions": 2, "autoscaling": {"min": 4, "max": 3}}},
     {"spec.workers.autoscaling.min": "is more than max: lower it, or raise max",
      "spec.workers.autoscaling.max": "is more than `workers.partitions`"}),
    (INDEX, {"spec.workers.storage": {"size": "10 GB", "storageClassName": "Fast"}},
     {"spec.workers.storage.size": "expected a size such as 10Gi"}),
    (INDEX, {"spec.query.filterable": ["a..b"]},
     {"spec.query.filterable[0]": "expected names joined by dots"}),
    (INDEX, {"spec.query.screeners": [
        {"name": "mine", "filter": [], "sort": [{"field": "a", "order": "down"}], "size": -1}]},
     {"spec.query.screeners[0].filter": "must be of type object",
      "spec.query.screeners[0].sort[0].order": "Unsupported value",
      "spec.query.screeners[0].size": "should be greater than or equal to 0"}),
    (INDEX, {"spec.query.screeners": [{"name": "Mine", "description": 600 * "ü"}]},
     {"spec.query.screeners[0].name": "expected a name of lowercase letters",
      "spec.query.screeners[0].description": "is longer than 1024 bytes: shorten it"}),
    (INDEX, {"spec.query.keysSecretRef": {"name": "Keys"}},
     {"spec.query.keysSecretRef.name": "expected a name of lowercase letters"}),
    (INDEX, {"spec.query.rateLimit": {"burst": 0}},
     {"spec.query.rateLimit.perSecond": "Required value",
      "spec.query.rateLimit.burst": "should be greater than or equal to 1"}),
    (INDEX, {"spec.query.relations": [{"name": "a", "index": "b", "from": "c"}],
             "spec.query.relatedKeysMax": 60_001},
     {"spec.query.relations[0].to": "Required value",
      "spec.query.relatedKeysMax": "should be less than or equal to 60000"}),
    (INDEX, {"spec.query.relations": 2 * [{"name": "a", "index": "b", "from": "c", "to": "d"}]},
     {"spec.query.relations[1]": "Duplicate value"}),
    (INDEX, {"spec.query.screeners": 2 * [{"name": "mine"}]},
     {"spec.query.screeners[1]": "Duplicate value"}),
    (INDEX, {"spec.query.commands": {"functions": []}},
     {"spec.query.commands.secretRef": "Required value",
      "spec.query.commands.functions": "at least 1 items"}),
    (INDEX, {"spec.query.commands": {
        "secretRef": {"name": "Db"}, "connections": 101, "timeout": "61s",
        "rateLimit": {"perSecond": 0}, "functions": [_ADD]}},
     {"spec.query.commands.secretRef.name": "expected a name of lowercase letters",
      "spec.query.commands.connections": "should be less than or equal to 100",
      "spec.query.commands.timeout": "expected a duration from 100ms to 1m",
      "spec.query.commands.rateLimit.perSecond": "should be greater than or equal to 1"}),
    (INDEX, {"spec.query.commands": {"secretRef": {"name": "db"}, "functions": [
        {**_ADD, "name": "a/b"}, {**_ADD, "function": "add"},
        {**_ADD, "name": "b", "function": "shop.add('x')"},
        {**_ADD, "name": "c", "arguments": [{"name": "a) --"}]}]}},
     {"spec.query.commands.functions[0].name": "expected letters, digits and _, no digit first",
      "spec.query.commands.functions[1].function": "expected schema.function, of letters, digits",
      "spec.query.commands.functions[2].function": "expected schema.function",
      "spec.query.commands.functions[3].arguments[0].name": "expected letters, digits and _"}),
    (INDEX, {"spec.query.commands": {"secretRef": {"name": "db"}, "functions": [
        {**_ADD, "returns": "All", "arguments": [{"name": "a", "type": "Text"}]}]}},
     {"spec.query.commands.functions[0].returns": 'supported values: "Nothing", "One", "Many"',
      "spec.query.commands.functions[0].arguments[0].type": 'supported values: "String"'}),
    (INDEX, {"spec.query.commands": {"secretRef": {"name": "db"}, "functions": [
        {**_ADD, "arguments": [{"name": "a", "type": "Json", "list": True}]}]}},
     {"spec.query.commands.functions[0].arguments[0].list":
          "has no meaning with `type: Json`, which may be an array: remove it"}),
    (INDEX, {"spec.query.commands": {"secretRef": {"name": "db"}, "functions": 2 * [
        {**_ADD, "arguments": 2 * [{"name": "a"}]}]}},
     {"spec.query.commands.functions[1]": "Duplicate value",
      "spec.query.commands.functions[0].arguments[1]": "Duplicate value"}),

    (BINDING, {"metadata.name": "root", "spec.relation": _CHILDREN},
     {"metadata.name": "`root` means the root binding wherever a binding is named: choose"}),
    (BINDING, {"spec.source": {}},
     {"spec.source": "expected exactly one of postgres, kafka, http: add one, or keep one"}),
    (BINDING, {"spec.source": {**_table("public.runs"), "kafka": {"topic": "runs"}}},
     {"spec.source": "expected exactly one of postgres, kafka, http"}),
    (BINDING, {"spec.relation": {"root": {}, "lookup": {"of": "root", "from": ["a"]}}},
     {"spec.relation": "expected exactly one of root, lookup, children, link: add one, or keep"}),
    (BINDING, {"spec.source.kafka.topic": "a topic"},
     {"spec.source.kafka.topic": "expected a name of letters, digits, dots, _ and -"}),
    (BINDING, {"spec.source": _table("runs")},
     {"spec.source.postgres.table": "expected a table as schema.table"}),
    (BINDING, {"spec.source": _table("public." + 63 * "ü")},
     {"spec.source.postgres.table": "is longer than 127 bytes: shorten it"}),
    (BINDING, {"spec.source": _table("public.runs"), "spec.source.postgres.revision": 32 * "ü"},
     {"spec.source.postgres.revision": "is longer than 63 bytes: shorten it"}),
    (BINDING, {"spec.key": ["id", "id"]}, {"spec.key": "has an item twice: keep one of them"}),
    (BINDING, {"spec.key": [129 * "ü"]}, {"spec.key[0]": "is longer than 256 bytes: shorten it"}),
    (BINDING, {"spec.relation": _LOOKUP, "spec.key": ["a", "b"]},
     {"spec.relation.lookup.from": "name one column of `of` for each column of the key"}),
    (BINDING, {"spec.relation": _LOOKUP, "spec.relation.lookup.of": "run"},
     {"spec.relation.lookup.of": "a lookup cannot be of itself: name the binding that refers"}),
    (BINDING, {"spec.relation": _CHILDREN, "spec.relation.children.of": "run"},
     {"spec.relation.children.of": "only a root has these: write `root`"}),
    (BINDING, {"spec.relation": _LINK, "spec.relation.link.of": "run"},
     {"spec.relation.link.of": "only a root has these: write `root`"}),
    (BINDING, {"spec.relation": _CHILDREN, "spec.relation.children.orderBy":
                [{"column": "a"}, {"column": "a", "direction": "Descending"}]},
     {"spec.relation.children.orderBy": "has a column twice: keep one of them"}),
    (BINDING, {"spec.relation": _CHILDREN, "spec.relation.children.into": "a b"},
     {"spec.relation.children.into": "expected one name, without dots"}),
    (BINDING, {"spec.relation": _CHILDREN, "spec.relation.children.into": "_id"},
     {"spec.relation.children.into": "is a name that Elasticsearch keeps for itself: choose"}),
    (BINDING, {"spec.relation": _LINK, "spec.relation.link.into": 65 * "ü"},
     {"spec.relation.link.into": "is longer than 128 bytes: shorten it"}),
    (BINDING, {"spec.relation": _LINK, "spec.relation.link.far": ["b", "c"]},
     {"spec.relation.link.far": "has not as many columns as near"}),
    (BINDING, {"spec.relation": _LINK, "spec.fields": [{"from": "far.", "to": "a"}]},
     {"spec.fields": "expected a column of the other root row after `far.`"}),
    (BINDING, {"spec.fields": [{"from": "a", "to": "_source.b"}]},
     {"spec.fields": "a field's `to` is a name that Elasticsearch keeps for itself"}),
    (_EVENT, {"spec.source.http.paths": ["/events/", "events", "/{}", "/a b", "/a?b"]},
     {f"spec.source.http.paths[{number}]": "expected a path such as /events/{domain}, of letters,"
      for number in range(5)}),
    (_EVENT, {"spec.source.http.columns": [
        {"name": "id"}, {"name": "a", "type": "Integer", "bytesMax": 1},
        {"name": "b", "minimum": 1}, {"name": "c", "type": "Number", "minimum": 2, "maximum": 1},
        {"name": "schema"}]},
     {"spec.source.http.columns[1].type": "has bytesMax or values, which only a String has: remove",
      "spec.source.http.columns[2].type": "has minimum or maximum, which only an Integer or Number",
      "spec.source.http.columns[3].minimum": "is more than maximum: lower it, or raise maximum",
      "spec.source.http.columns[4].name": "`schema` has a meaning in records of Kafka: choose"}),
    (_EVENT, {"spec.source.http.columns": [{"name": "id"}, {"name": "id"}]},
     {"spec.source.http.columns": "has a name twice: keep one of them"}),
    (_EVENT, {"spec.source.http.eventId": "at"},
     {"spec.source.http.eventId": "names no column of type String: add that column, or name"}),
    (_EVENT, {"spec.source.http.timestamp": "id"},
     {"spec.source.http.timestamp": "names no column of type Timestamp: add that column, or name"}),
    (_EVENT, {"spec.source.http.partitionKey": ["size"]},
     {"spec.source.http.partitionKey": _KEYS}),
    (_EVENT, {"spec.source.http.timestamp": "at", "spec.source.http.partitionKey": ["more"]},
     {"spec.source.http.partitionKey": _KEYS}),
    (_EVENT, {"spec.key": ["user"]}, {"spec.key": _KEYS}),
    (_EVENT, {"spec.source.http.timestamp": "at", "spec.source.http.partitionKey": ["at"],
              "spec.source.http.topic": {"cleanup": "Compact", "retention": "1d"}},
     {"spec.source.http.topic.retention": "has no meaning with `cleanup: Compact`: remove it"}),
    (_EVENT, {"spec.source.http.timestamp": "at", "spec.source.http.partitionKey": ["at"],
              "spec.source.http.topic": {"cleanup": "Compact"}},
     {"spec.source.http.partitionKey": "must be the binding's key with `cleanup: Compact`, which"}),
    (_EVENT, {"spec.source.http.topic": {"retention": "1s"}},
     {"spec.source.http.topic.retention": "expected a duration from 1m to 3650d: a whole number"}),
    (_EVENT, {"spec.source.http.limits": {"bodyBytesMax": 1}},
     {"spec.source.http.limits.bodyBytesMax": "greater than or equal to 1024"}),
    (_EVENT, {"spec.relation": _CHILDREN},
     {"spec.relation.children.from": "names a column that source.http.columns does not have"}),
    (_EVENT, {"spec.relation": _LINK},
     {"spec.relation.link.near": "names a column that source.http.columns does not have",
      "spec.relation.link.far": "names a column that source.http.columns does not have"}),
    (INDEX, {"spec.ingest": {"deadline": "21s", "connections": 0}},
     {"spec.ingest.deadline": "expected a duration from 1s to 20s",
      "spec.ingest.connections": "greater than or equal to 1"}),
    (BINDING, {"spec.fields": 2 * [{"from": "a", "to": "b"}]}, {"spec.fields[1]": "Duplicate"}),
    (_COUNTED, {"spec.source": {"kafka": {"topic": "d"}}},
     {"spec.aggregate": "needs events: a source of http, or of kafka with `format: Json`"}),
    (_COUNTED, {"spec.aggregate.columns": [{"name": "sent", "compute": "Sum"},
                                           {"name": "a", "column": "b"},
                                           {"name": "c", "compute": "Max", "column": "d", "by": "e"},
                                           {"name": "a.b"}]},
     {"spec.aggregate.columns[0].column": "all but Count are computed of a column",
      "spec.aggregate.columns[1].column": "all but Count are computed of a column",
      "spec.aggregate.columns[2].by": "has no meaning without First or Last: remove it",
      "spec.aggregate.columns[3].name": "expected one name, without dots"}),
    (_COUNTED, {"spec.aggregate.columns": [{"name": "domain"}]},
     {"spec.aggregate": "has a column with the name of one of the key: choose another"}),
    (_COUNTED, {"spec.aggregate.columns": [{"name": "sent"}, {"name": "status"}]},
     {"spec.aggregate.derived": "has the name of one of columns: choose another"}),
    (_COUNTED, {"spec.aggregate.derived": [{"name": "status", "otherwise": "x", "rules": [
        {"when": [{"column": "sent"}], "value": "y"}]}]},
     {"spec.aggregate.derived[0].rules[0].when[0]": "has neither min nor max"}),
    (_COUNTED, {"spec.aggregate.interval": "1ms",
                "spec.aggregate.dedupe": {"by": "id", "window": "8d", "idsMax": 1}},
     {"spec.aggregate.interval": "expected a duration from 10ms to 1m",
      "spec.aggregate.dedupe.window": "expected a duration from 1s to 7d",
      "spec.aggregate.dedupe.idsMax": "greater than or equal to 1000"}),
    (_EVENT, {"spec.aggregate": {"columns": [{"name": "n"}]},
              "spec.source.http.timestamp": "at", "spec.source.http.partitionKey": ["at"]},
     {"spec.source.http.partitionKey": "has a column that is not in the key: all events of a group"}),
    (_EVENT, {"spec.aggregate": {"columns": [{"name": "n"}]},
              "spec.source.http.topic": {"cleanup": "Compact"}},
     {"spec.source.http.topic.cleanup": "must not be Compact, which keeps one event of each key"}),
    (_EVENT, {"spec.aggregate": {"columns": [{"name": "n"}], "dedupe": {"by": "other"}}},
     {"spec.aggregate.dedupe": "names a column that source.http.columns does not have"}),
    (INDEX, {"spec.aggregates": {"memoryBytes": 1}},
     {"spec.aggregates.memoryBytes": "greater than or equal to 16777216"}),
]

# What cannot be changed later; what is changed in an object that is there.
IMMUTABLE = [
    ({}, {"spec.workers.partitions": 9},
     {"spec.workers.partitions": "cannot be changed: create another resource with the new value"}),
    ({}, {"spec.mappings": None, "spec.tables": {}},
     {"spec.tables": "cannot come or go: create another SearchIndex, then delete this one"}),
    ({}, {"spec.indexName": "other"},
     {"spec.indexName": "create another SearchIndex with the new name, then delete this one"}),
    ({"spec.indexName": "other"}, {"spec.indexName": None},
     {"spec.indexName": "cannot be changed, and is the resource's name where it is not written"}),
]

# As lib/model/status_test.cc has it.
STATUS = {
    "observedGeneration": 1, "phase": "Building", "message": "runs-2 is being built",
    "progress": 40, "serving": "runs-1", "generation": 1, "desired": "runs-2", "lagRecords": 12,
    "lagSeconds": 3, "rowsPerSecond": 1000, "deadLetters": 1,
    "workers": {"replicas": 2, "ready": 1, "selector": "app=searchsync"},
    "tables": {"kept": 3, "ready": 2, "refused": 1},
    "conditions": [{"type": "Ready", "status": "False", "reason": "Building",
                    "message": "runs-2 is being built",
                    "lastTransitionTime": "2026-01-31T12:00:00Z", "observedGeneration": 1}],
    "notes": {"leads": {"a": [1, 2]}},
}


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy; None, also within what is put in, is nothing there."""
    changed = copy.deepcopy(base)
    for path, value in changes.items():
        *folders, name = path.split(".")
        place = changed
        for folder in folders:
            place = place.setdefault(folder, {})
        if isinstance(value, dict):
            value = {key: copy.deepcopy(one) for key, one in value.items() if one is not None}
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return changed
