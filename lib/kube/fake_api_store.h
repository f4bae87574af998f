#pragma once

// The objects of FakeApiServer and what writes do to them. For fake_api_*.cc only.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/client.h"
#include "lib/kube/resource.h"

namespace searchsync::kube {

using Json = nlohmann::json;

// Which manager has set which fields, as JSON pointers.
using FieldOwners = std::map<std::string, std::set<std::string>>;

// One state of one object, or its end.
struct FakeVersion {
  uint64_t revision = 0;
  size_t type = 0;  // index of a served type
  ObjectKey key;
  Json object;
  FieldOwners owners;
  bool deleted = false;
  std::map<std::string, std::string> labels;  // of the object
};

// Part of a request's query that says which objects are meant.
struct FakeSelector {
  size_t type = 0;
  std::string namespace_;
  std::string labels;
  std::string fields;
};

http::ClientResponse fake_status(int status, std::string_view reason, std::string_view message,
                                 Json causes = Json::array());
http::ClientResponse fake_answer(int status, const Json& body);

class FakeApiStore {
 public:
  struct Type {
    ResourceType type;
    bool has_status = false;
  };

  size_t serve(ResourceType type, bool has_status);
  const Type& type(size_t index) const { return types_[index]; }
  std::optional<size_t> find_type(std::string_view group, std::string_view version,
                                  std::string_view plural) const;

  uint64_t revision() const { return log_.empty() ? kFirst : log_.back().revision; }
  const std::vector<FakeVersion>& log() const { return log_; }  // by revision
  // The newest states at `revision`, by key.
  std::map<ObjectKey, const FakeVersion*> at(const FakeSelector& which, uint64_t revision) const;
  const FakeVersion* find(size_t type, const ObjectKey& key) const;

  // Each answers as the server does.
  http::ClientResponse create(size_t type, const std::string& in_namespace, Json object);
  http::ClientResponse replace(size_t type, const ObjectKey& key, Json object, bool status);
  http::ClientResponse merge(size_t type, const ObjectKey& key, const Json& patch, bool status);
  http::ClientResponse apply(size_t type, const ObjectKey& key, Json object,
                             const std::string& manager, bool force, bool status);
  http::ClientResponse remove(size_t type, const ObjectKey& key, const Json& options);

  // Equality and existence of labels; metadata.name and metadata.namespace of fields.
  static bool matches(const FakeSelector& which, const FakeVersion& version);

 private:
  static constexpr uint64_t kFirst = 100;

  // The object as it is written, after what the server itself decides; then appended to the log.
  http::ClientResponse write(size_t type, const FakeVersion* before, Json object,
                             FieldOwners owners, bool status);
  const FakeVersion& append(FakeVersion version);

  std::vector<Type> types_;
  std::vector<FakeVersion> log_;
  uint64_t uids_ = 0;
};

// What server-side apply makes of an object. current: null if there is none.
// Returns the conflicts as Status causes; if there are none, `result` and `owners` are changed.
Json fake_apply(const Json& current, const Json& applied, const std::string& manager, bool force,
                Json& result, FieldOwners& owners);
// After a write that is no apply: whoever changed a field owns it.
void fake_own_changes(const Json& before, const Json& after, FieldOwners& owners);

}  // namespace searchsync::kube
