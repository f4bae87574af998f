#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::elastic {

// The body that creates a generation of `index` under the name `name`: mappings with
// _meta.searchsync {generation, documentLog, index}, the settings that we manage, the user's merged
// in, and the write alias.
//
// Errors: kInvalidArgument, naming the setting, if the user's settings contain one that we manage
// (number_of_shards, number_of_replicas, refresh_interval, gc_deletes), or if mappings or settings
// are not JSON objects.
Result<std::string> index_body(const model::SearchIndex& index, const IndexName& name,
                               Generation generation, std::string_view document_log);

// The same for a partition, `name`, of the generation `of`; _meta.searchsync says of which.
Result<std::string> partition_body(const model::SearchIndex& index, const IndexName& name,
                                   const IndexName& of, Generation generation,
                                   std::string_view document_log);

}  // namespace searchsync::elastic
