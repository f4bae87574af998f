#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/kube/reflector_sink.h"
#include "operator/cluster/objects.h"

namespace searchsync::cluster {

// What has changed, for those who plan.
enum class Cause {
  kEdit,   // a person changed what is declared
  kWorld,  // something happened to what we have made
};

// What the watches have seen of a cluster. Objects that we have written are put here as well, so
// that what is read is never older than what was written. Thread-safe.
class Store {
 public:
  using Clock = std::chrono::steady_clock;

  // Called on the thread that brings the change, for the index concerned, and of a table for its
  // database's. It may only enqueue.
  using Listener = std::function<void(const plan::ObjectKey& index, Cause cause)>;
  // A capture's objects have changed, in this namespace.
  using CaptureListener = std::function<void(const std::string& namespace_)>;

  Store(Listener listener, CaptureListener captures);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // For a reflector of `type`: one of the two resources, Pods or made_types().
  kube::ReflectorSink& sink(const kube::ResourceType& type);

  // Takes an object as a call has returned it.
  void put(const kube::ResourceType& type, std::string_view object);
  // The same of one that we have made just so.
  void put_made(const kube::ResourceType& type, std::string_view object);

  // Forgets all of a namespace, which is watched no more; what is put from it is not taken until it
  // is expected again.
  void forget_namespace(const std::string& namespace_);
  void expect_namespace(const std::string& namespace_);

  // When the index or one of its bindings was edited last; nothing: not since this began.
  std::optional<Clock::time_point> edited(const plan::ObjectKey& index) const;

  // All SearchIndexes, in order of key.
  std::vector<plan::ObjectKey> indices() const;
  std::vector<std::shared_ptr<const DeclaredIndex>> all_indices() const;
  // All SourceBindings of the namespace, in order of name.
  std::vector<std::shared_ptr<const DeclaredBinding>> all_bindings(
      const std::string& namespace_) const;
  // Null: there is none.
  std::shared_ptr<const DeclaredIndex> index(const plan::ObjectKey& key) const;
  // Those that refer to it, in order of name.
  std::vector<std::shared_ptr<const DeclaredBinding>> bindings(const plan::ObjectKey& index) const;
  // The other SearchIndexes that want its spec.indexName at an engine that both have a URL of.
  std::map<plan::ObjectKey, plan::Claim> claims(const plan::ObjectKey& index) const;
  // In order of name. owner: empty for the captures of the namespace.
  std::vector<WorkloadObject> workloads(const std::string& namespace_,
                                        const plan::ObjectKey& owner) const;
  std::optional<WorkloadObject> workload(const kube::ObjectKey& key) const;
  // Whether it is there as we made it. Of one that was there before this began: whether nobody else
  // has a field of it.
  bool is_as_made(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  // The ConfigMaps of all captures of the namespace, by Workload::name: also of those that are gone
  // but for it.
  std::map<std::string, Meta> captures(const std::string& namespace_) const;
  // In order of name.
  std::vector<PodObject> pods(const std::string& namespace_, const std::string& workload) const;

 private:
  class Sink;

  enum class Writer { kUs, kAnyone };

  void apply(const kube::ResourceType& type, const kube::Change& change);
  // Whether the object was removed a moment ago, or is of a namespace that was forgotten: an answer
  // to a call may come after that. With the mutex held that it is then kept under.
  bool is_buried(const kube::ResourceType& type, const Meta& meta) const;
  void bury(const kube::ResourceType& type, const kube::ObjectKey& key, std::string_view uid);
  void put(const kube::ResourceType& type, std::string_view object, Writer writer);
  // object: `text`, parsed.
  void put_index(const nlohmann::json& object, std::string_view text);
  void put_binding(const nlohmann::json& object, std::string_view text);
  void put_workload(const kube::ResourceType& type, const nlohmann::json& object);
  void put_pod(const nlohmann::json& object);
  void note_made(const kube::ResourceType& type, const nlohmann::json& object, Writer writer);
  // With the mutex held. null: it is not there.
  const MadeObject* find_made(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  // Returns the index that it was made for.
  std::string remove_made(const kube::ResourceType& type, const kube::ObjectKey& key);
  void unbind(const kube::ObjectKey& index, const std::string& binding);
  void remove(const kube::ResourceType& type, const kube::ObjectKey& key);
  // With the mutex held. null: it is there no more.
  void set_index(const kube::ObjectKey& key, std::shared_ptr<const DeclaredIndex> declared);
  void edited_now(const plan::ObjectKey& index);
  // One of its tables' objects has changed. owner: empty: it is no table's.
  void table_changed(const std::string& namespace_, const std::string& owner);
  void changed(const plan::ObjectKey& owner, const std::string& namespace_);

  const Listener listener_;
  const CaptureListener captures_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // constant after construction

  // Shared with those who read while the next version comes in.
  mutable std::mutex mutex_;
  std::map<kube::ObjectKey, std::shared_ptr<const DeclaredIndex>> indices_;
  std::map<std::string, std::set<kube::ObjectKey>> by_index_name_;
  std::map<kube::ObjectKey, std::shared_ptr<const DeclaredBinding>> bindings_;
  std::map<kube::ObjectKey, std::set<std::string>> bindings_of_;  // by index
  std::map<plan::ObjectKey, Clock::time_point> edited_;
  std::map<kube::ObjectKey, WorkloadObject> workloads_;
  // All of one workload have its name.
  std::map<kube::ObjectKey, std::vector<MadeObject>> made_;
  std::map<kube::ObjectKey, CaptureObject> capture_maps_;
  std::map<std::pair<std::string, std::string>, std::map<std::string, PodObject>>
      pods_;  // by namespace and workload, then name
  std::map<kube::ObjectKey, std::string> pod_workloads_;
  std::set<std::string> forgotten_;  // namespaces
  // Objects that were removed, in order of time.
  struct Grave {
    Clock::time_point since;
    std::string type;  // its name
    kube::ObjectKey key;
    std::string uid;
  };
  std::deque<Grave> graves_;
  std::set<std::tuple<std::string, kube::ObjectKey, std::string>> buried_;  // the same
};

}  // namespace searchsync::cluster
