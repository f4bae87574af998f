#pragma once

// The tables of bindings that aggregate events: their topics, and the processes that write them.

#include <optional>
#include <string>
#include <vector>

#include "operator/plan/index_planner.h"
#include "operator/plan/index_view.h"

namespace searchsync::plan {

// A binding for each table that what is declared, or a generation, is built from; in order of the
// tables' names.
std::vector<model::SourceBinding> tables_of(const IndexView& view);

// Adds to `steps` topics to be made or deleted and offsets to be forgotten, and says in `pending`,
// if that is empty, why not all that are declared are there. Returns whether some will not be there
// after the steps either: no index may be built before they are, for they would be taken for lost.
bool plan_tables(const IndexView& view, std::vector<Step>& steps, std::string& pending);

// Why a declared table cannot be had, or not be gone on with.
Stall table_stall(const IndexView& view);

// The processes that write those tables that are there; nothing if none is.
std::optional<Workload> aggregate_workload(const IndexView& view);

}  // namespace searchsync::plan
