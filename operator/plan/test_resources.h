#pragma once

#include <optional>
#include <string>

#include "lib/model/resources.h"

namespace searchsync::plan {

// What a person may edit, for tests: one index over a root and a lookup of a lookup.
struct Declared {
  int shape = 0;     // fields and mappings: another value, another generation
  int topology = 0;  // relations: another value, another document log
  int32_t replicas = 1;
  model::Approval approval = model::Approval::kAutomatic;
  bool suspend = false;
  bool autoscaling = false;
  int hours = 0;   // that partitions of an hour are kept; 0: it is not partitioned
  int fields = 0;  // more of them, each with a column of the root
  model::OnMappingChange on_mapping_change = model::OnMappingChange::kRebuild;
  bool events = false;  // a binding with an HTTP source
  int counts = 0;       // of events, by a binding; another value, another table; 0: there is none
  bool counts_http = false;  // those events come over HTTP
  int32_t ingest_replicas = 1;
  std::optional<std::string> approved;
  std::optional<std::string> serve;
  int64_t hits_min = 0;  // of a check, if it is not 0
  model::Drift drift = model::Drift::kCorrect;
  model::Adoption adoption = model::Adoption::kRefuse;
  model::DeletionPolicy deletion_policy = model::DeletionPolicy::kRetain;
};

model::Resources resources(const Declared& declared);

inline constexpr const char* kEventTopic = "searchsync.default.click.events";
inline constexpr const char* kCountedTopic = "visits";  // what Declared::counts reads
inline constexpr const char* kCountedEventTopic = "searchsync.default.visit.events";  // over HTTP

// A world's tables, that all Declared together read.
inline constexpr const char* kTables[] = {"public.runs", "public.owners", "public.teams",
                                          "public.bugs"};

}  // namespace searchsync::plan
