#pragma once

#include "lib/model/resources.h"

namespace searchsync::query {

// One field of every kind, for the tests of this folder. Real engines without their optional
// modules do not have unsigned_long.
inline model::JsonText test_mappings() {
  return {R"({
    "dynamic": "strict",
    "properties": {
      "id": {"type": "long"},
      "testName": {"type": "keyword"},
      "title": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
      "severity": {"type": "byte"},
      "big": {"type": "unsigned_long"},
      "coverage": {"type": "double"},
      "passed": {"type": "boolean"},
      "createdAt": {"type": "date"},
      "exact": {"type": "date_nanos"},
      "built": {"type": "date", "format": "yyyy/MM/dd"},
      "host": {"type": "ip"},
      "place": {"type": "geo_point"},
      "note": {"type": "keyword", "index": false},
      "blob": {"type": "keyword", "doc_values": false},
      "owner": {"properties": {"email": {"type": "keyword"}, "team": {"type": "keyword"}}},
      "who": {"type": "alias", "path": "owner.email"},
      "bugs": {"type": "nested", "properties": {
        "id": {"type": "keyword"},
        "status": {"type": "keyword"},
        "hits": {"type": "nested", "properties": {"count": {"type": "integer"}}}
      }}
    }})"};
}

}  // namespace searchsync::query
