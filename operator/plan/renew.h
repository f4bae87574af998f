#pragma once

// Which generation is the declared one, and what may become it in place. A generation is called
// after what it was made of, and with partitioning.onMappingChange: NewPartitions it may have
// become something else since. So it is known by its recipe. See
// docs/decisions/0009-time-partitions.md.

#include <span>
#include <string>
#include <vector>

#include "operator/plan/actions.h"
#include "operator/plan/observed.h"

namespace searchsync::plan {

struct IndexView;

// Whether a change of mappings, settings and fields is to be made in place, if it can.
bool in_place(const model::SearchIndexSpec& spec);

// Of a recipe, what decides the content of an index that is made of it.
std::string content_of(const model::PipelineConfig& recipe);

// The generation that is what is declared; null: there is none.
const ObservedGeneration* find_made(const ObservedIndex& seen, const model::SearchIndex& index,
                                    std::span<const model::SourceBinding> bindings);

// What it is called, or would be: not as one that has become something else.
IndexName declared_name(const ObservedIndex& seen, const model::SearchIndex& index,
                        std::span<const model::SourceBinding> bindings);

// Why a partitioned index of this recipe, in which `found` are the mappings, cannot become what is
// declared: a phrase. Empty: it can, for partitions of before and after are written and read as
// one.
std::string why_not_renewed(const model::PipelineConfig& recipe, const std::string& found,
                            const model::SearchIndex& index,
                            std::span<const model::SourceBinding> bindings);

// The same of a generation; also, that the engine has just refused to add the fields.
std::string why_not_renewed(const IndexView& view, const ObservedGeneration& generation);

// Of the declared generation, with onMappingChange: NewPartitions, why it is not what is served.
// Empty: it is, or what is served is not renewed anyway.
std::string why_rebuilt(const IndexView& view);

// Makes the target what is declared, if it is to become it: first its partitions take what is to
// come, then its recipe says so. Workers run with that from the next round on.
std::vector<Step> plan_renewal(const IndexView& view);

}  // namespace searchsync::plan
