#pragma once

#include "ingest/core/schema.h"

namespace searchsync::ingest {

// A column of every type, for the tests of this folder.
inline model::IngestedBinding test_binding() {
  using enum model::ColumnType;
  model::IngestedBinding binding{.name = "event", .key = {"id"}, .source = {}};
  binding.source = {.paths = {"/events", "/events/{domain}/{kind}"},
                    .columns = {{.name = "id", .bytes_max = 64},
                                {.name = "domain", .required = true, .bytes_max = 20},
                                {.name = "kind", .values = {"delivered", "bounced"}},
                                {.name = "size", .type = kInteger, .minimum = 0, .maximum = 100},
                                {.name = "ratio", .type = kNumber, .minimum = -1},
                                {.name = "read", .type = kBoolean},
                                {.name = "at", .type = kTimestamp},
                                {.name = "more", .type = kJson}},
                    .event_id = "id",
                    .timestamp = "at",
                    .partition_key = {"domain"}};
  binding.source.topic.name = "events";
  binding.source.limits = {.body_bytes_max = 4096, .events_max = 5, .event_bytes_max = 512};
  return binding;
}

}  // namespace searchsync::ingest
