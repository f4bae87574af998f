#pragma once

// A world for the planner's tests, in memory: sources, document logs, generations, an engine.
//
// Fault model: a step may fail before or after it was done; a Lead or Begin record may reach only
// some partitions; everything may stop between two steps; engine or Kafka may be unreachable; notes
// may be lost; a worker's processes may be away for a while; records arrive, are routed and folded
// between any two readings of one observation; steps take their time. Stricter than the real world:
// the alias refuses to move to a generation that is not complete, an index under the alias, or that
// was under it until somebody took the alias away, refuses to be deleted, and what is not ours to
// be touched; a group refuses to be deleted while its members run; an index takes no fields that it
// cannot have, and no recipe and no worker with fields that it does not have. A person may change
// alias, settings, fields and _meta past the operator, and close an index: then it is an error to
// refresh it. Workers make partitions that they need, with whatever configuration they run. Not
// modelled: lost records, compaction, documents.

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "operator/plan/plan.h"

namespace searchsync::plan {

class FakeWorld {
 public:
  explicit FakeWorld(uint64_t seed) : random_(seed) {}

  // What a person does.
  void declare(model::Resources resources) { resources_ = std::move(resources); }
  void add_source(const std::string& table, int64_t rows) { tables_[table].initial = rows; }
  // A topic with so many events, that somebody else writes.
  void add_events(const std::string& topic, int64_t events) {
    topics_[topic] = {std::vector<Record>(static_cast<size_t>(events), {.initial = true})};
    events_.insert(topic);
  }
  void change_rows() { traffic_ = true; }
  void quiet() { traffic_ = false; }

  enum class Fault { kEngine, kKafka, kWorkers };
  void break_down(Fault fault) { broken_.insert(fault); }
  void repair() { broken_.clear(); }
  // Steps take up to so long, each.
  void slow_down(std::chrono::milliseconds step) { step_ = step; }
  void lose_notes() { notes_.clear(); }
  void halt_worker(const std::string& name, const std::string& binding);

  // What a person does to the engine, past the operator.
  void point_alias(const std::string& alias, std::vector<IndexName> to);
  void narrow_alias(const std::string& alias) { aliases_.at(alias).narrowed = true; }
  void set_by_hand(const IndexName& name, IndexSettings settings) {
    indices_.at(name).settings = settings;
  }
  void add_field(const IndexName& name) { indices_.at(name).differences = {"field x is new"}; }
  void close(const IndexName& name) { indices_.at(name).closed = true; }
  void open(const IndexName& name) { indices_.at(name).closed = false; }
  void drop_meta(const IndexName& name) { indices_.at(name).marked = false; }
  void drop_write_alias(const IndexName& name) { indices_.at(name).writable = false; }
  void put_meta_back(const IndexName& name) { indices_.at(name).marked = true; }
  void add_foreign(const IndexName& name) { foreign_.insert(name); }

  // What every check finds from here on.
  void find(int64_t hits) { hits_ = hits; }

  // So many dead letters of whole documents are open from here on.
  void refuse(int64_t documents) { refused_ = documents; }

  void pass(std::chrono::milliseconds time) { now_ += time; }
  TimePoint now() const { return now_; }

  // Lets the processes work: capture, route and fold up to `steps` records.
  void work(int steps);

  Observed observe();

  enum class Outcome { kDone, kFailed };
  Outcome execute(const Step& step);
  // Does the step, or a part of it, or not; and says it failed.
  void execute_badly(const Step& step);

  // Why an invariant is broken; empty: none is.
  const std::string& broken_invariant() const { return violation_; }

  // What tests look at.
  struct Partition {
    IndexSettings settings;
    std::string mappings;
    bool shown = false;  // readers read it
  };
  struct Index {
    model::PipelineConfig recipe;
    std::string mappings;
    IndexSettings settings;
    bool refreshed = false;  // what is written becomes visible, or did
    std::vector<std::string> differences;
    bool closed = false;
    bool marked = true;                             // its _meta is as it was made
    bool writable = true;                           // its write alias is
    bool shown = false;                             // readers read it
    std::map<model::Period, Partition> partitions;  // of an hour each
  };
  const std::map<IndexName, Index>& indices() const { return indices_; }
  // By generation that is gone.
  const std::map<IndexName, std::set<IndexName>>& strays() const { return strays_; }
  void set_by_hand(const IndexName& name, model::Period period, IndexSettings settings) {
    indices_.at(name).partitions.at(period).settings = settings;
  }
  // As if a worker of an older configuration had made it.
  void lose_fields(const IndexName& name, model::Period period) {
    indices_.at(name).partitions.at(period).mappings = R"({"dynamic":"strict"})";
  }
  struct Alias {
    std::vector<IndexName> to;
    bool narrowed = false;
  };
  const std::map<std::string, Alias>& aliases() const { return aliases_; }
  // To which it leads, and to nothing else, as a whole. Empty: it does not.
  IndexName alias(const std::string& name) const;
  const std::map<std::string, Workload>& workloads() const { return workloads_; }
  const std::set<std::string>& slots() const { return slots_; }
  bool has_topic(const std::string& name) const { return topics_.contains(name); }
  std::map<ObjectKey, IndexNotes>& notes() { return notes_; }
  void remove_index(const IndexName& name);  // the alias leads to it no more
  void remove_topic(const std::string& name) { apply("", DeleteTopic{name}); }

  // Whether everything that was in the tables from the beginning is in the generation.
  bool complete(const IndexName& name) const;
  // Whether each record of its log that needs an answer has one, and all is folded.
  bool settled(const IndexName& name) const;

 private:
  struct Record {
    int hops = 0;  // answers that follow from it, one after the other
    bool initial = false;
    bool answered = false;
    std::optional<Generation> lead;
    std::optional<Generation> begin;
  };
  using Partitions = std::vector<std::vector<Record>>;
  struct Table {
    int64_t initial = 0;
    bool captured = false;
  };

  // What a workload's processes have read from their config, once.
  struct Running {
    struct Count {  // of the events of one topic, by a group, into a table
      std::string topic;
      std::string table;
      std::string group;
    };

    std::optional<model::CaptureConfig> capture;
    std::optional<model::PipelineConfig> pipeline;
    std::optional<model::IngestConfig> ingest;
    std::vector<Count> counts;
    std::string route_group;
    std::string fold_group;
    int rounds = 1;
  };

  void violate(std::string what);
  std::vector<const Running*> able_workers() const;
  bool has_members(const std::string& group) const;
  // Of generations of one log: whether the one has applied more than the other has written.
  // One that is not complete shows nothing that counts.
  bool shows_older(const ObjectKey& owner, const IndexName& from, const IndexName& to);
  static IndexName partition_name(const IndexName& index, model::Period period);
  void show(const IndexName& name);
  void make_partition(const model::PipelineConfig& recipe, model::Period period);
  void add_fields(std::string& mappings, const std::string& declared);
  // Now and then a worker needs one that is not there, or one to have its fields.
  void partition(const model::PipelineConfig& config);
  void capture();
  void ingest();
  void aggregate();
  bool writes(const std::string& table) const;
  bool counted(const model::SourceBinding& binding) const;
  void route(const Running& running);
  void fold(const Running& running);
  Generation leader_at(const Partitions& log, size_t partition, size_t offset) const;
  // To the first of the log's partitions. Returns where.
  Offsets append(const std::string& log, size_t partitions, const Record& record);
  void send_lead(const ObjectKey& owner, const SendLead& lead, size_t partitions);
  void send_begin(const ObjectKey& owner, const SendBegin& begin, size_t partitions);
  static void observe_index(const ObjectKey& key, const IndexName& name, const Index& index,
                            ObservedIndex& seen);
  void observe_kafka(const ObjectKey& key, ObservedIndex& index);
  Committed& committed(const std::string& group, const std::string& topic);
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

  void apply(const ObjectKey& owner, const UpdateNotes& action);
  void apply(const ObjectKey& owner, const ForgetNotes& action);
  void apply(const ObjectKey& owner, const CreateTopic& action);
  void apply(const ObjectKey& owner, const DeleteTopic& action);
  void apply(const ObjectKey& owner, const DeleteGroup& action);
  void apply(const ObjectKey& owner, const CreateIndex& action);
  void apply(const ObjectKey& owner, const UpdateSettings& action);
  void apply(const ObjectKey& owner, const CreatePartitions& action);
  void apply(const ObjectKey& owner, const SetPartitions& action);
  void apply(const ObjectKey& owner, const ShowPartitions& action);
  void apply(const ObjectKey& owner, const DropPartitions& action);
  void apply(const ObjectKey& owner, const AddFields& action);
  void apply(const ObjectKey& owner, const WriteMeta& action);
  void apply(const ObjectKey& owner, const PutWriteAlias& action);
  void apply(const ObjectKey& owner, const SendLead& action);
  void apply(const ObjectKey& owner, const SendBegin& action);
  void apply(const ObjectKey& owner, const SwapAlias& action);
  void apply(const ObjectKey& owner, const DeleteIndex& action);
  void apply(const ObjectKey& owner, const EnsureWorkload& action);
  void apply(const ObjectKey& owner, const RemoveWorkload& action);
  void apply(const ObjectKey& owner, const DropSlot& action);

  std::mt19937_64 random_;
  TimePoint now_{std::chrono::milliseconds(1'700'000'000'000)};
  model::Resources resources_;
  std::map<std::string, Table> tables_;
  bool traffic_ = false;
  int64_t hits_ = 0;
  int64_t refused_ = 0;
  std::set<Fault> broken_;

  std::map<std::string, Partitions> topics_;
  std::set<std::string> events_;  // topics that somebody else writes
  std::map<std::string, std::map<std::string, Committed>> groups_;
  std::map<IndexName, Index> indices_;
  std::map<IndexName, std::set<IndexName>> strays_;  // by generation that is gone
  std::set<IndexName> foreign_;                      // that nobody may touch
  std::map<std::string, Alias> aliases_;
  std::map<std::string, IndexName> served_;  // by alias: where the operator put it last
  std::map<std::string, Workload> workloads_;
  std::map<std::string, Running> running_;
  std::set<std::string> slots_;                // of captures
  std::map<std::string, std::string> halted_;  // worker: binding
  std::map<ObjectKey, IndexNotes> notes_;
  std::chrono::milliseconds step_{0};
  // By fold group and partition: it applies nothing until then.
  std::map<std::pair<std::string, size_t>, TimePoint> yields_;
  std::string violation_;
};

}  // namespace searchsync::plan
