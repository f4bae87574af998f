#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/model/resources.h"

namespace searchsync::worker {

// Of a topic of its own name, with the key "id".
inline model::SourceBinding binding(std::string name, model::Relation relation,
                                    std::vector<model::FieldMapping> fields) {
  model::SourceBinding made;
  made.metadata.name = std::move(name);
  made.spec.source = model::KafkaSource{.topic = made.metadata.name};
  made.spec.key = {"id"};
  made.spec.relation = std::move(relation);
  made.spec.fields = std::move(fields);
  return made;
}

}  // namespace searchsync::worker
