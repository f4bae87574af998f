#pragma once

// A SearchIndex and its SourceBindings, compiled into what the worker executes: numbered bindings,
// the columns each keeps, who refers to whom, and the layout of the document. And the names that
// follow from them: a change of topology is another document log, a change of shape another index
// generation.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// A binding's place in Pipeline::bindings, which are sorted by name: stable within a topology.
using BindingId = uint8_t;
inline constexpr size_t kBindingsMax = 200;
// For so long after a Lead record the workers of another generation apply nothing newer: meanwhile
// readers can be led over without seeing anything older.
inline constexpr std::chrono::milliseconds kYield{10'000};
// index.gc_deletes of our indices: the engine keeps the versions of deleted documents this long.
// While it does, a late write of an older version is refused; afterwards it would bring the
// document back. The default of 60 s is less than a paused process or a long garbage collection; an
// hour exceeds every bulk request's deadline.
inline constexpr std::chrono::hours kGcDeletes{1};
// A place in the tuple of columns that is kept of a row.
using Slot = uint16_t;

// A reference from a row that holds it to one row of `target`.
struct LookupUse {
  BindingId target = 0;
  std::vector<Slot> from;  // of the holder: the target's key
  OnMissing on_missing = OnMissing::kNull;
};

// What a slot keeps: a column's value, converted for the document.
struct SlotSource {
  std::string column;
  FieldType type = FieldType::kAuto;
  friend bool operator==(const SlotSource&, const SlotSource&) = default;
};

enum class BindingKind { kRoot, kLookup, kChildren, kLink };

struct OrderSlot {
  Slot slot = 0;
  Direction direction = Direction::kAscending;
};

// One binding. A link has two sides, children one: from[side] holds the key of the root on that
// side.
struct BindingPlan {
  std::string name;
  BindingKind kind = BindingKind::kRoot;
  std::vector<std::string> key;  // columns
  std::vector<SlotSource> slots;
  std::vector<LookupUse> lookups;        // what rows of this binding refer to
  std::vector<std::vector<Slot>> sides;  // children, link
  std::vector<OrderSlot> order_by;       // children
};

// A row in view while one level of a document is written: the level's own row is context 0, each
// further one is looked up from an earlier one.
struct Context {
  BindingId binding = 0;
  size_t parent = 0;
  size_t lookup = 0;  // of the parent's binding: BindingPlan::lookups[lookup]
  OnMissing on_missing = OnMissing::kNull;
  bool far = false;  // a link's other root; `lookup` has no meaning
};

struct ObjectLayout;

// A field of the document, in one of three forms.
struct FieldLayout {
  enum class Kind { kScalar, kObject, kArray };
  std::string name;
  std::string label;  // the name as a JSON key, with its colon
  Kind kind = Kind::kScalar;
  size_t context = 0;                // kScalar
  Slot slot = 0;                     // kScalar
  std::vector<ObjectLayout> object;  // kObject: exactly one
  BindingId array = 0;               // kArray: the children or the link
};

struct ObjectLayout {
  std::vector<FieldLayout> fields;
};

// The root's level, or that of one element of an array.
struct Level {
  std::vector<Context> contexts;
  ObjectLayout layout;
};

// By what documents are spread over indices: slots of the root's row.
struct PartitionPlan {
  Every every = Every::kDay;
  Slot time = 0;
  std::optional<Slot> routing;
  std::chrono::seconds retain{0};
  std::chrono::seconds ahead{0};
};

struct Pipeline {
  std::vector<BindingPlan> bindings;  // sorted by name
  std::vector<Level> levels;          // by BindingId; of the root, of children and of links
  BindingId root = 0;
  std::optional<PartitionPlan> partitioning;

  const BindingPlan& binding(BindingId id) const { return bindings[id]; }
};

// Compiles resources that validate() has accepted. Errors: kInvalidArgument where it has not.
Result<Pipeline> compile(const SearchIndex& index, std::span<const SourceBinding> bindings);

// Where a binding's changes or events come from.
std::string source_topic(const Source& source);
// Of the records in it.
RecordFormat record_format(const Source& source);
// Where its rows are: of events that are aggregated, the table that is made of them; else, the
// same.
std::string row_topic(const SourceBinding& binding);
// Of the records in row_topic().
RecordFormat row_format(const SourceBinding& binding);
// The consumer group that aggregates the events of a table.
std::string aggregate_group(const std::string& table);
// What the tables of an index are named after.
std::string table_prefix(const SearchIndex& index);

// 8 hex digits over the topics, keys and relations: what decides the content of the document log.
std::string topology_hash(const SearchIndex& index, std::span<const SourceBinding> bindings);
// 8 hex digits over the topology, the mappings, the settings and the fields: what decides the
// content of an index generation.
std::string generation_hash(const SearchIndex& index, std::span<const SourceBinding> bindings);

// 8 hex digits over all of that but mappings, settings and fields: generations that differ in it
// cannot become each other.
std::string lasting_hash(const SearchIndex& index, std::span<const SourceBinding> bindings);
// Over the slots of each binding: rows that are kept by others mean something else.
std::string slots_hash(const Pipeline& pipeline);

std::string document_log_name(const SearchIndex& index, std::span<const SourceBinding> bindings);
IndexName generation_index_name(const SearchIndex& index, std::span<const SourceBinding> bindings);
std::string dead_letter_topic(const SearchIndex& index);
// Consumer groups: of the workers that route sources into the document log, and of those that fold
// it into one generation.
std::string route_group(const SearchIndex& index, std::span<const SourceBinding> bindings);
std::string fold_group(const SearchIndex& index, const IndexName& generation_index);

}  // namespace searchsync::model
