#include "capture/core/session_plan.h"

#include <fmt/core.h>

#include <algorithm>

namespace searchsync::capture {
namespace {

// Every reason why changes may be missing between what is saved and what the slot would send.
std::string why_new_slot(const std::optional<CaptureState>& saved, const SessionFacts& facts) {
  if (!saved) return "nothing is saved about this database";
  if (saved->system_id != facts.system_id) return "this is another database cluster";
  if (saved->timeline != facts.timeline) {
    return fmt::format("the database went from timeline {} to {}: it was restored or failed over",
                       saved->timeline, facts.timeline);
  }
  if (saved->flushed > facts.written) {
    return fmt::format(
        "the database's log ends at {}, before {} that was captured: it was restored",
        postgres::to_string(facts.written), postgres::to_string(saved->flushed));
  }
  if (!facts.slot.exists) return "the replication slot is gone";
  if (facts.slot.lost) {
    return "the server removed log that the slot still needed (max_slot_wal_keep_size)";
  }
  if (facts.slot.confirmed > saved->flushed) {
    return fmt::format("the slot was advanced to {} by somebody else, past {}",
                       postgres::to_string(facts.slot.confirmed),
                       postgres::to_string(saved->flushed));
  }
  // Decoding log from before a publication was made fails.
  if (!facts.publication_exists) return "the publication is gone";
  return {};
}

// Why a table that was captured before cannot go on where it was.
std::string why_new_epoch(const TableState& table, const TableFacts& facts) {
  if (table.left) return "it was not captured for a while";
  if (!table.stopped.empty()) return "it had been stopped: " + table.stopped;
  if (table.key_columns != facts.key_columns) return "its key is another one";
  const TableMake& before = table.make;
  if (before == TableMake{}) return {};  // an older version of us did not look
  if (before.oid != facts.make.oid) return "it was made anew";
  if (before.file != facts.make.file && before.alterations != facts.make.alterations) {
    return "an ALTER TABLE has rewritten it";
  }
  if (!std::ranges::includes(facts.make.partitions, before.partitions)) {
    return "a partition was truncated, rewritten or taken away";
  }
  return {};
}

// What the log does not say of rows of which it has said all else; empty: nothing.
std::string why_read_again(const TableState& table, const TableFacts& facts) {
  if (table.form != facts.form) return "its columns changed";
  if (table.make == TableMake{}) return {};
  // Rows that were there before an ALTER TABLE have in new columns what it says.
  if (table.make.columns != facts.make.columns) return "its columns changed";
  const auto is_new = [&](const auto& one) { return !table.make.partitions.contains(one); };
  return std::ranges::any_of(facts.filled, is_new) ? "a partition with rows was attached" : "";
}

TableState first_state(const TableFacts& facts) {
  TableState state;
  state.topic = facts.topic;
  state.key_columns = facts.key_columns;
  state.form = facts.form;
  state.make = facts.make;
  state.epoch = facts.topic_epoch.value_or(0) + 1;
  state.sweep = facts.topic_epoch.has_value();
  return state;
}

TableState next_epoch(const TableState& old, const TableFacts& facts) {
  TableState state = first_state(facts);
  state.epoch = old.epoch + 1;
  state.sweep = true;
  return state;
}

}  // namespace

SessionPlan plan_session(const std::optional<CaptureState>& saved, const SessionFacts& facts) {
  SessionPlan plan;
  plan.new_slot_reason = why_new_slot(saved, facts);
  if (saved) plan.state = *saved;
  plan.state.system_id = facts.system_id;
  plan.state.timeline = facts.timeline;
  for (auto& [name, table] : plan.state.tables) table.left = true;
  for (const TableFacts& table : facts.tables) {
    const std::string name = table.schema + "." + table.name;
    std::optional<TableState> old;
    if (saved && saved->tables.contains(name)) old = saved->tables.at(name);
    TableState state;
    if (!old || old->topic != table.topic) {
      state = first_state(table);
    } else if (const std::string why =
                   plan.new_slot_reason.empty() ? why_new_epoch(*old, table) : plan.new_slot_reason;
               !why.empty()) {
      state = next_epoch(*old, table);
      plan.notes.push_back(
          fmt::format("table {} begins epoch {} with a new snapshot: {}", name, state.epoch, why));
    } else {
      state = *old;
      state.make = table.make;
      if (const std::string again = why_read_again(*old, table); !again.empty()) {
        plan.notes.push_back(fmt::format("table {} is read again: {}", name, again));
        state.phase = SnapshotPhase::kRunning;
        state.last_key.clear();
        state.rows = 0;
        state.form = table.form;
      }
    }
    plan.state.tables[name] = state;
    plan.tables.push_back(
        {.schema = table.schema, .name = table.name, .source_name = {}, .state = std::move(state)});
    const std::string suffix = "." + name;
    CapturedTable& captured = plan.tables.back();
    captured.source_name = table.topic.ends_with(suffix) && table.topic.size() > suffix.size()
                               ? table.topic.substr(0, table.topic.size() - suffix.size())
                               : facts.capture_name;
  }
  return plan;
}

}  // namespace searchsync::capture
