#pragma once

#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/kube/reflector.h"
#include "operator/cluster/store.h"

namespace searchsync::cluster {

// In place of a namespace: all of them.
inline constexpr const char* kAllNamespaces = "";

// What is watched for the store: the two resources, and of all that the operator has made for them,
// and their pods, those that carry its label.
class Watches {
 public:
  // The references must outlive this.
  Watches(kube::Reflectors& reflectors, Store& store) : reflectors_(reflectors), store_(store) {}
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // These namespaces and no others. What was watched and is in the set still goes on undisturbed;
  // what is not is forgotten by the store. One thread.
  void watch(const std::set<std::string>& namespaces);

  // Returns once all namespaces have been listed, but for those that cannot be while others can:
  // one that is refused does not hold up the rest. False: stop was requested before.
  bool wait_listed(const std::stop_token& stop);

  enum class State {
    kNone,     // it is not watched
    kListing,  // what is known of it may be a part
    kListed,
  };
  // Thread-safe.
  State state(const std::string& namespace_);

 private:
  struct Watched {
    std::vector<kube::ReflectorId> ids;
    bool listed = false;  // once, which is enough
  };

  std::vector<kube::ReflectorId> start(const std::string& namespace_);
  bool is_listed(Watched& watched);
  std::string problem_of(const Watched& watched) const;

  kube::Reflectors& reflectors_;
  Store& store_;
  std::mutex mutex_;
  std::map<std::string, Watched> running_;  // by namespace; guarded by mutex_
};

}  // namespace searchsync::cluster
