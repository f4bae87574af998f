#pragma once

// The topics that the operator makes, as they are when they are made.

#include <optional>
#include <string>

#include "operator/plan/actions.h"
#include "operator/plan/plan.h"

namespace searchsync::plan {

CreateTopic document_log_topic(const model::SearchIndex& index, const std::string& name,
                               const Policy& policy);
CreateTopic dead_letter_topic(const model::SearchIndex& index, const Policy& policy);
// Nothing where the source's topic is for others to make.
std::optional<CreateTopic> event_topic(const model::SearchIndex& index,
                                       const model::Source& source);

// Of a binding that aggregates events: as many partitions as the events have.
CreateTopic table_topic(const model::SearchIndex& index, const std::string& name,
                        int32_t partitions);

}  // namespace searchsync::plan
