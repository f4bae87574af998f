#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/model/resources.h"
#include "query/fields.h"

namespace searchsync::query {

// The fields that, together, no two documents share, and that the engine sorts by cheaply: the
// root's key as far as the documents hold it. Every sort ends in them, so that a page ends at
// exactly one document.
//
// Why not something of the engine's own: _id has no doc values, so that sorting by it loads every
// id into the heap after each refresh, and Elasticsearch 8 refuses it unless the cluster's owner
// sets indices.id_field_data.enabled; _doc and _seq_no repeat between shards; a point in time with
// _shard_doc is unknown to OpenSearch 2, costs a call more a query, and keeps segments, so that a
// page that is left open for hours fails. The root's key needs none of that.
//
// Returns nothing if the documents do not hold the whole key in fields that can be sorted exactly:
// then there are no further pages.
std::vector<std::string> tiebreak_fields(std::span<const model::SourceBinding> bindings,
                                         const FieldCatalog& catalog);

}  // namespace searchsync::query
