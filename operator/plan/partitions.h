#pragma once

// What the partitions of a generation need, beyond what its own index does: to be there before
// documents of their time are, to be read once they are, and to go when they are too old. See
// docs/decisions/0009-time-partitions.md.
//
// How long a generation keeps them is in its recipe, and only becomes shorter: what was dropped
// does not come back.

#include <chrono>
#include <set>
#include <vector>

#include "operator/plan/index_view.h"

namespace searchsync::plan {

// In one round: others of the same operator have to be looked at, too.
inline constexpr size_t kPartitionsMadeMax = 50;

// Null: it is not partitioned, or its recipe cannot be read.
const model::PartitioningSpec* partitioning_of(const ObservedGeneration& generation);

// Both have it, the recipe and what is declared: the shorter retention holds.
void limit_retention(const std::optional<model::PartitioningSpec>& one,
                     std::optional<model::PartitioningSpec>& kept);

// Of a move of the alias to that generation, from wherever it leads.
Layout layout_of(const IndexView& view, const ObservedGeneration& to);

// Those that somebody else has given other settings; not those that are new.
std::vector<const ObservedPartition*> altered_partitions(const ObservedGeneration& generation,
                                                         const IndexSettings& wanted);

// How long the document log keeps rows: as long as any of the generations that are built from it
// has partitions for them. Nothing: for ever, for one of them has no partitions, or others.
std::optional<std::chrono::seconds> log_retention(const IndexView& view,
                                                  const std::string& document_log);

// "index events-1a2b3c4d keeps partitions for 30d …", where more is declared; else empty.
std::string retention_message(const IndexView& view);

struct PartitionsInput {
  const IndexView& view;
  const IndexNotes& notes;                      // as they will be
  const std::set<IndexName>& retired;           // generations that are being deleted
  const ObservedGeneration* heading = nullptr;  // to which the alias is about to move
};

// In order.
std::vector<Step> plan_partitions(const PartitionsInput& input);

// Those of a generation that is deleted, or that is gone. None: no steps.
std::vector<Step> drop_all(const ObjectKey& owner, const ObservedGeneration& generation,
                           const std::string& reason);
std::vector<Step> drop_strays(const ObjectKey& owner, const ObservedIndex& seen);

}  // namespace searchsync::plan
