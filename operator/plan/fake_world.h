#pragma once

// A world for the planner's tests, in memory: sources, document logs, generations, an engine.
//
// Fault model: a step may fail before or after it was done; a Lead or Begin record may reach only
// some partitions; everything may stop between two steps; engine or Kafka may be unreachable; notes
// may be lost; a worker's processes may be away for a while; records arrive, are routed and folded
// between any two readings of one observation. Stricter than the real world: the alias refuses to
// move to a generation that is not complete, and an index under the alias refuses to be deleted.
// Not modelled: lost records, compaction, documents.

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
  void change_rows() { traffic_ = true; }
  void quiet() { traffic_ = false; }

  enum class Fault { kEngine, kKafka, kWorkers };
  void break_down(Fault fault) { broken_.insert(fault); }
  void repair() { broken_.clear(); }
  void lose_notes() { notes_.clear(); }
  void halt_worker(const std::string& name, const std::string& binding);

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
  struct Index {
    model::PipelineConfig recipe;
    int32_t replicas = 1;
    std::chrono::milliseconds refresh_interval{1000};
  };
  const std::map<IndexName, Index>& indices() const { return indices_; }
  const std::map<std::string, IndexName>& aliases() const { return aliases_; }
  const std::map<std::string, Workload>& workloads() const { return workloads_; }
  bool has_topic(const std::string& name) const { return topics_.contains(name); }
  std::map<ObjectKey, IndexNotes>& notes() { return notes_; }
  void remove_index(const IndexName& name) { indices_.erase(name); }
  void remove_alias(const std::string& alias) { aliases_.erase(alias); }

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
    std::optional<model::CaptureConfig> capture;
    std::optional<model::PipelineConfig> pipeline;
    std::string route_group;
    std::string fold_group;
    int rounds = 1;
  };

  void violate(std::string what);
  void capture();
  void route(const Running& running);
  void fold(const Running& running);
  Generation leader_at(const Partitions& log, size_t partition, size_t offset) const;
  void send_lead(const ObjectKey& owner, const SendLead& lead, size_t partitions);
  void send_begin(const ObjectKey& owner, const SendBegin& begin, size_t partitions);
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
  void apply(const ObjectKey& owner, const SendLead& action);
  void apply(const ObjectKey& owner, const SendBegin& action);
  void apply(const ObjectKey& owner, const SwapAlias& action);
  void apply(const ObjectKey& owner, const DeleteIndex& action);
  void apply(const ObjectKey& owner, const EnsureWorkload& action);
  void apply(const ObjectKey& owner, const RemoveWorkload& action);

  std::mt19937_64 random_;
  TimePoint now_{std::chrono::milliseconds(1'700'000'000'000)};
  model::Resources resources_;
  std::map<std::string, Table> tables_;
  bool traffic_ = false;
  std::set<Fault> broken_;

  std::map<std::string, Partitions> topics_;
  std::map<std::string, std::map<std::string, Committed>> groups_;
  std::map<IndexName, Index> indices_;
  std::map<std::string, IndexName> aliases_;
  std::map<std::string, Workload> workloads_;
  std::map<std::string, Running> running_;
  std::map<std::string, std::string> halted_;  // worker: binding
  std::map<ObjectKey, IndexNotes> notes_;
  std::string violation_;
};

}  // namespace searchsync::plan
