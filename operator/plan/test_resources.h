#pragma once

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
  model::DeletionPolicy deletion_policy = model::DeletionPolicy::kRetain;
};

model::Resources resources(const Declared& declared);

// A world's tables, that all Declared together read.
inline constexpr const char* kTables[] = {"public.runs", "public.owners", "public.teams",
                                          "public.bugs"};

}  // namespace searchsync::plan
