#include "operator/cluster/store.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;

// Longer than a call takes (kube::ClientOptions::timeout).
constexpr std::chrono::minutes kBuriedFor{2};

// Whether what is there is as new as `meta`: what a watch brings may be older than what we wrote.
bool not_older(const Meta& known, const Meta& meta) {
  return known.uid == meta.uid &&
         version_number(known.resource_version) >= version_number(meta.resource_version);
}

// Of what a person declares in it, not of its status.
bool is_edit(const Meta& before, const Meta& after) {
  return before.uid != after.uid || before.generation != after.generation ||
         before.deleted_at != after.deleted_at;
}

}  // namespace

class Store::Sink final : public kube::ReflectorSink {
 public:
  Sink(Store& store, const kube::ResourceType& type) : store_(store), type_(type) {}

  const kube::ResourceType& type() const { return type_; }
  void apply(std::span<const kube::Change> changes) override {
    for (const auto& change : changes) store_.apply(type_, change);
  }
  void synced() override {}

 private:
  Store& store_;
  const kube::ResourceType type_;
};

Store::Store(Listener listener, CaptureListener captures)
    : listener_(std::move(listener)), captures_(std::move(captures)) {
  for (const auto* type : {&search_index_type(), &source_binding_type(), &pod_type()}) {
    sinks_.push_back(std::make_unique<Sink>(*this, *type));
  }
  for (const auto& type : made_types()) sinks_.push_back(std::make_unique<Sink>(*this, type));
}

Store::~Store() = default;

kube::ReflectorSink& Store::sink(const kube::ResourceType& type) {
  for (const auto& sink : sinks_) {
    if (sink->type() == type) return *sink;
  }
  CHECK(false, "{} is not followed", type.name());
  return *sinks_.front();
}

void Store::apply(const kube::ResourceType& type, const kube::Change& change) {
  if (change.kind == kube::Change::Kind::kRemoved) {
    bury(type, change.key, change.uid);
    remove(type, change.key);
  } else {
    put(type, change.object);
  }
}

void Store::bury(const kube::ResourceType& type, const kube::ObjectKey& key, std::string_view uid) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  while (!graves_.empty() && now - graves_.front().since > kBuriedFor) {
    const auto& oldest = graves_.front();
    buried_.erase({oldest.type, oldest.key, oldest.uid});
    graves_.pop_front();
  }
  if (buried_.insert({type.name(), key, std::string(uid)}).second) {
    graves_.push_back({now, type.name(), key, std::string(uid)});
  }
}

bool Store::is_buried(const kube::ResourceType& type, const Meta& meta) const {
  return forgotten_.contains(meta.key.namespace_) ||
         buried_.contains({type.name(), meta.key, meta.uid});
}

void Store::put(const kube::ResourceType& type, std::string_view object) {
  put(type, object, Writer::kAnyone);
}

void Store::put_made(const kube::ResourceType& type, std::string_view object) {
  put(type, object, Writer::kUs);
}

void Store::put(const kube::ResourceType& type, std::string_view object, Writer writer) {
  const json parsed = json::parse(object, nullptr, false);
  if (!parsed.is_object()) {
    log::error("{}: an object that is no JSON object is left out", type.name());
    return;
  }
  if (type == search_index_type()) {
    put_index(parsed, object);
  } else if (type == source_binding_type()) {
    put_binding(parsed, object);
  } else if (type == pod_type()) {
    put_pod(parsed);
  } else {
    note_made(type, parsed, writer);
    if (type == deployment_type() || type == stateful_set_type()) put_workload(type, parsed);
  }
}

void Store::put_index(const json& object, std::string_view text) {
  const auto declared = std::make_shared<const DeclaredIndex>(read_index(object, text));
  const auto& key = declared->meta.key;
  bool edited = true;
  {
    const std::lock_guard lock(mutex_);
    if (is_buried(search_index_type(), declared->meta)) return;
    const auto known = indices_.find(key);
    if (known != indices_.end() && not_older(known->second->meta, declared->meta)) return;
    // Of our own status nobody has to be told.
    edited = known == indices_.end() || is_edit(known->second->meta, declared->meta);
    set_index(key, declared);
  }
  if (!edited) return;
  edited_now(to_string(key));
  table_changed(key.namespace_, declared->owner);
}

void Store::set_index(const kube::ObjectKey& key, std::shared_ptr<const DeclaredIndex> declared) {
  const auto known = indices_.find(key);
  if (known != indices_.end()) {
    if (const auto& before = known->second->resource) {
      auto& claims = by_index_name_[before->spec.index_name];
      claims.erase(key);
      if (claims.empty()) by_index_name_.erase(before->spec.index_name);
    }
    indices_.erase(known);
  }
  if (declared == nullptr) return;
  if (declared->resource) by_index_name_[declared->resource->spec.index_name].insert(key);
  indices_[key] = std::move(declared);
}

void Store::put_binding(const json& object, std::string_view text) {
  const auto declared = std::make_shared<const DeclaredBinding>(read_binding(object, text));
  const auto& key = declared->meta.key;
  std::string former;
  bool edited = true;
  {
    const std::lock_guard lock(mutex_);
    if (is_buried(source_binding_type(), declared->meta)) return;
    auto& place = bindings_[key];
    if (place != nullptr && not_older(place->meta, declared->meta)) return;
    edited = place == nullptr || is_edit(place->meta, declared->meta);
    if (place != nullptr && place->index != declared->index) {
      former = place->index;
      unbind({key.namespace_, former}, key.name);
    }
    bindings_of_[{key.namespace_, declared->index}].insert(key.name);
    place = declared;
  }
  if (!former.empty()) edited_now(key.namespace_ + "/" + former);
  if (!edited) return;
  edited_now(key.namespace_ + "/" + declared->index);
  table_changed(key.namespace_, declared->owner);
}

void Store::unbind(const kube::ObjectKey& index, const std::string& binding) {
  const auto names = bindings_of_.find(index);
  if (names == bindings_of_.end()) return;
  names->second.erase(binding);
  if (names->second.empty()) bindings_of_.erase(names);
}

void Store::put_workload(const kube::ResourceType& type, const json& object) {
  auto one = read_workload(type, object);
  const auto owner = one.owner;
  const auto namespace_ = one.meta.key.namespace_;
  {
    const std::lock_guard lock(mutex_);
    if (is_buried(type, one.meta)) return;
    const auto [place, added] = workloads_.try_emplace(one.meta.key);
    if (!added && not_older(place->second.meta, one.meta)) return;
    place->second = std::move(one);
  }
  changed(owner, namespace_);
}

void Store::put_pod(const json& object) {
  auto pod = read_pod(object);
  const auto owner = pod.owner;
  const auto namespace_ = pod.meta.key.namespace_;
  {
    const std::lock_guard lock(mutex_);
    if (is_buried(pod_type(), pod.meta)) return;
    pod_workloads_[pod.meta.key] = pod.workload;
    pods_[{namespace_, pod.workload}][pod.meta.key.name] = std::move(pod);
  }
  changed(owner, namespace_);
}

// What we wrote may come back before or after the call that wrote it returns, and what others have
// written since then in between.
void Store::note_made(const kube::ResourceType& type, const json& object, Writer writer) {
  const auto meta = read_meta(object);
  const auto& key = meta.key;
  auto made = read_made(type, object);
  const auto owner = made.index.empty() ? "" : key.namespace_ + "/" + made.index;
  auto capture = read_capture(type, object);
  bool news = false;
  bool newcomer = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_buried(type, meta)) return;
    auto& all = made_[key];
    auto place = std::ranges::find(all, made.type, &MadeObject::type);
    newcomer = place == all.end();
    if (newcomer) place = all.insert(place, made);
    auto& known = *place;
    const bool was_as_made = newcomer || known.as_made;
    const bool same_one = known.incarnation == made.incarnation;
    const bool newer = newcomer || !same_one || known.version < made.version;
    const bool same = same_one && known.content == made.content;
    if (writer == Writer::kUs) {
      made.as_made = newer || same;
    } else if (!newcomer) {
      made.as_made = known.as_made && (same || !newer);
    }
    if (newer)
      known = std::move(made);
    else
      known.as_made = made.as_made;
    news = was_as_made && !known.as_made;
    if (newer && type == config_map_type()) capture_maps_.erase(key);
    if (newer && capture) capture_maps_[key] = std::move(*capture);
  }
  // What a capture left behind is for nobody else to remember.
  if (news || (newcomer && owner.empty())) changed(owner, key.namespace_);
}

const MadeObject* Store::find_made(const kube::ResourceType& type,
                                   const kube::ObjectKey& key) const {
  const auto all = made_.find(key);
  if (all == made_.end()) return nullptr;
  const auto found =
      std::ranges::find_if(all->second, [&](const MadeObject& one) { return *one.type == type; });
  return found == all->second.end() ? nullptr : &*found;
}

std::string Store::remove_made(const kube::ResourceType& type, const kube::ObjectKey& key) {
  if (type == config_map_type()) capture_maps_.erase(key);
  const auto* made = find_made(type, key);
  if (made == nullptr) return "";
  auto index = made->index;
  auto& all = made_.at(key);
  std::erase_if(all, [&](const MadeObject& one) { return *one.type == type; });
  if (all.empty()) made_.erase(key);
  return index;
}

bool Store::is_as_made(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto* made = find_made(type, key);
  return made != nullptr && made->as_made;
}

std::map<std::string, Meta> Store::captures(const std::string& namespace_) const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Meta> all;
  for (auto one = capture_maps_.lower_bound({namespace_, ""});
       one != capture_maps_.end() && one->first.namespace_ == namespace_; ++one) {
    all[one->second.name] = one->second.meta;
  }
  return all;
}

void Store::table_changed(const std::string& namespace_, const std::string& owner) {
  if (!owner.empty()) listener_(namespace_ + "/" + owner, Cause::kWorld);
}

void Store::edited_now(const plan::ObjectKey& index) {
  {
    const std::lock_guard lock(mutex_);
    edited_[index] = Clock::now();
  }
  listener_(index, Cause::kEdit);
}

std::optional<Store::Clock::time_point> Store::edited(const plan::ObjectKey& index) const {
  const std::lock_guard lock(mutex_);
  const auto known = edited_.find(index);
  if (known == edited_.end()) return std::nullopt;
  return known->second;
}

void Store::changed(const plan::ObjectKey& owner, const std::string& namespace_) {
  if (owner.empty()) {
    captures_(namespace_);
  } else {
    listener_(owner, Cause::kWorld);
  }
}

void Store::remove(const kube::ResourceType& type, const kube::ObjectKey& key) {
  std::vector<plan::ObjectKey> concerned;
  plan::ObjectKey owner;
  std::string database;
  const bool declared = type == search_index_type() || type == source_binding_type();
  {
    const std::lock_guard lock(mutex_);
    if (type == search_index_type()) {
      if (const auto known = indices_.find(key); known != indices_.end()) {
        database = known->second->owner;
      }
      set_index(key, nullptr);
      edited_.erase(to_string(key));
      concerned.push_back(to_string(key));
    } else if (type == source_binding_type()) {
      if (const auto binding = bindings_.extract(key)) {
        const kube::ObjectKey index{key.namespace_, binding.mapped()->index};
        database = binding.mapped()->owner;
        unbind(index, key.name);
        concerned.push_back(to_string(index));
      }
    } else if (type == pod_type()) {
      auto& pods = pods_[{key.namespace_, pod_workloads_[key]}];
      const auto pod = pods.find(key.name);
      if (pod != pods.end()) {
        owner = pod->second.owner;
        pods.erase(pod);
      }
      if (pods.empty()) pods_.erase({key.namespace_, pod_workloads_[key]});
      pod_workloads_.erase(key);
    } else {
      const auto index = remove_made(type, key);
      if (!index.empty()) owner = key.namespace_ + "/" + index;
      const auto known = workloads_.find(key);
      if (known != workloads_.end() && *known->second.type == type) workloads_.erase(known);
    }
  }
  if (!declared) changed(owner, key.namespace_);
  for (const auto& index : concerned) edited_now(index);
  table_changed(key.namespace_, database);
}

void Store::forget_namespace(const std::string& namespace_) {
  std::vector<plan::ObjectKey> concerned;
  {
    const std::lock_guard lock(mutex_);
    const auto here = [&](const auto& entry) { return entry.first.namespace_ == namespace_; };
    for (const auto& [key, index] : indices_) {
      if (key.namespace_ == namespace_) concerned.push_back(to_string(key));
    }
    for (const auto& key : concerned) set_index(parse_key(key), nullptr);
    forgotten_.insert(namespace_);
    std::erase_if(bindings_, here);
    std::erase_if(bindings_of_, here);
    std::erase_if(edited_, [&](const auto& entry) {
      return parse_key(entry.first).namespace_ == namespace_;
    });
    std::erase_if(workloads_, here);
    std::erase_if(made_, here);
    std::erase_if(capture_maps_, here);
    std::erase_if(pod_workloads_, here);
    std::erase_if(pods_, [&](const auto& entry) { return entry.first.first == namespace_; });
  }
  for (const auto& index : concerned) listener_(index, Cause::kWorld);
}

void Store::expect_namespace(const std::string& namespace_) {
  const std::lock_guard lock(mutex_);
  forgotten_.erase(namespace_);
}

std::vector<plan::ObjectKey> Store::indices() const {
  const std::lock_guard lock(mutex_);
  std::vector<plan::ObjectKey> keys;
  for (const auto& [key, one] : indices_) keys.push_back(to_string(key));
  return keys;
}

std::vector<std::shared_ptr<const DeclaredIndex>> Store::all_indices() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const DeclaredIndex>> all;
  for (const auto& [key, one] : indices_) all.push_back(one);
  return all;
}

std::vector<std::shared_ptr<const DeclaredBinding>> Store::all_bindings(
    const std::string& namespace_) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const DeclaredBinding>> all;
  for (auto one = bindings_.lower_bound({namespace_, ""});
       one != bindings_.end() && one->first.namespace_ == namespace_; ++one) {
    all.push_back(one->second);
  }
  return all;
}

std::shared_ptr<const DeclaredIndex> Store::index(const plan::ObjectKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = indices_.find(parse_key(key));
  return found == indices_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const DeclaredBinding>> Store::bindings(
    const plan::ObjectKey& index) const {
  const auto key = parse_key(index);
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const DeclaredBinding>> all;
  const auto names = bindings_of_.find(key);
  if (names == bindings_of_.end()) return all;
  for (const auto& name : names->second) all.push_back(bindings_.at({key.namespace_, name}));
  return all;
}

std::map<plan::ObjectKey, plan::Claim> Store::claims(const plan::ObjectKey& index) const {
  std::map<plan::ObjectKey, plan::Claim> all;
  const auto own_key = parse_key(index);
  const std::lock_guard lock(mutex_);
  const auto own = indices_.find(own_key);
  if (own == indices_.end() || !own->second->resource) return all;
  const auto& spec = own->second->resource->spec;
  for (const auto& key : by_index_name_.at(spec.index_name)) {
    const auto& other = *indices_.at(key);
    const bool same_engine = std::ranges::find_first_of(spec.elasticsearch.urls,
                                                        other.resource->spec.elasticsearch.urls) !=
                             spec.elasticsearch.urls.end();
    if (key == own_key || !same_engine) continue;
    const bool before =
        std::tie(other.meta.created_at, key) < std::tie(own->second->meta.created_at, own_key);
    all[to_string(key)] = before ? plan::Claim::kBefore : plan::Claim::kAfter;
  }
  return all;
}

std::vector<WorkloadObject> Store::workloads(const std::string& namespace_,
                                             const plan::ObjectKey& owner) const {
  const std::lock_guard lock(mutex_);
  std::vector<WorkloadObject> all;
  for (auto one = workloads_.lower_bound({namespace_, ""});
       one != workloads_.end() && one->first.namespace_ == namespace_; ++one) {
    if (one->second.owner == owner) all.push_back(one->second);
  }
  return all;
}

std::optional<WorkloadObject> Store::workload(const kube::ObjectKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = workloads_.find(key);
  if (found == workloads_.end()) return std::nullopt;
  return found->second;
}

std::vector<PodObject> Store::pods(const std::string& namespace_,
                                   const std::string& workload) const {
  const std::lock_guard lock(mutex_);
  std::vector<PodObject> all;
  const auto found = pods_.find({namespace_, workload});
  if (found == pods_.end()) return all;
  for (const auto& [name, pod] : found->second) all.push_back(pod);
  return all;
}

}  // namespace searchsync::cluster
