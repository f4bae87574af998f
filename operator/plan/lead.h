#pragma once

// Who answers what is in a document log: one generation at a time, its leader.

#include <set>
#include <string>

#include "operator/plan/index_view.h"

namespace searchsync::plan {

Generation leader_number(const IndexNotes& notes, const std::string& document_log);

// Whether the leader of the declared log cannot be relied on to answer what is in the log before
// any Lead record that would be sent now.
bool leader_unable(const IndexView& view, const IndexNotes& notes);

// Of what is declared. The next number; but where the leader is gone or has halted, its own: a
// generation of that number answers again, as it folds from the beginning, all that the leader left
// unanswered. That both may answer does no harm: answers carry the position that caused them.
Generation next_generation(const IndexView& view, const IndexNotes& notes);

// Who has to lead the log, unless another is about to be served.
Generation desired_leader(const IndexView& view, const IndexNotes& notes, const std::string& log);

// Why others of its log still need a generation. Empty: they do not. sent: logs whose lead moves
// in this plan.
std::string why_finish(const IndexView& view, const IndexNotes& notes,
                       const std::set<std::string>& sent, const ObservedGeneration& generation);

// Whether it is time for another record, the one before having come to nothing.
bool lead_is_old(const LeadNote& lead, TimePoint now);

}  // namespace searchsync::plan
