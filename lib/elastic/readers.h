#pragma once

// The aliases that a partitioned index is read by: <alias> leads to the generation's own index and
// all of its partitions, <alias>@<period> to one of them, <alias>@none to its own index, which has
// no documents. See docs/decisions/0009-time-partitions.md.

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"

namespace searchsync::elastic {

inline constexpr std::string_view kNoPartition = "none";

// partition: a period's name, or kNoPartition.
std::string partition_alias(std::string_view alias, std::string_view partition);

// The index that `name` is, or is a partition of, if that is one of `generations`; else itself.
IndexName generation_of(const IndexName& name, const std::vector<IndexName>& generations);

struct ReadersMove {
  std::string alias;
  std::vector<IndexName> from;  // generations, or indices that are not ours
  IndexName to;
};

// targets: what the alias leads to, by name. aliases: the answer to GET /<alias>-*/_alias. Returns
// the body of _aliases after which all of `to` is read, and nothing else; empty: that is so.
// Indices without the write alias are not taken for partitions. Errors: kConflict if the alias
// leads to something else than `from`; not if it leads to `to` alone. kMalformed.
Result<std::string> readers_actions(const ReadersMove& move, std::vector<IndexName> targets,
                                    std::string_view aliases);

}  // namespace searchsync::elastic
