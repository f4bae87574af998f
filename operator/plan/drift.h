#pragma once

// What somebody else has changed of an index that is ours: the alias, settings, mappings. Found by
// comparing what is observed with what the notes say was last right, so that a person's edit of the
// resource is told from it.
//
// With drift: Correct the aliases, the settings and _meta are put right. Mappings cannot be: a
// field that was added stays until there is a new index. That is never begun unasked, for it costs
// hours of a large index's engine: the status says what differs, and how to have it built. An index
// that a person has closed only a person opens.
//
// With drift: Report nothing of it is written. While the alias is elsewhere nothing else goes on
// either, but indexing: what a person does with the alias comes first.

#include <string>
#include <vector>

#include "operator/plan/actions.h"
#include "operator/plan/index_view.h"

namespace searchsync::plan {

// Whether the alias leads elsewhere, or not to all of the index that should be read.
bool alias_moved(const IndexView& view);

// As declared, and as far as the generation is.
IndexSettings wanted_settings(const IndexView& view, const GenerationNote& note);

// Whether the settings that the generation has, other than those wanted, are somebody else's doing.
bool set_by_others(const GenerationNote& note, const IndexSettings& wanted);

// What a person is told of an index that is closed.
std::string closed(const IndexName& index);

Drift find_drift(const IndexView& view);

// What puts _meta and write aliases right. Nothing with drift: Report.
std::vector<Step> put_right(const IndexView& view);

}  // namespace searchsync::plan
