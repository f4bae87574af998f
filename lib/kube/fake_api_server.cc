#include "lib/kube/fake_api_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "lib/base/check.h"
#include "lib/kube/fake_api_store.h"
#include "lib/kube/fake_request.h"

namespace searchsync::kube {
namespace {

using std::chrono::seconds;

constexpr seconds kBookmarkPeriod{60};
constexpr size_t kEndlessBytes = 8 << 10;

// A response under way.
struct Stream {
  http::ClientResponse head;
  std::string waiting;                                      // is sent next
  FakeApiServer::State end = FakeApiServer::State::kEnded;  // once all is sent
  bool ending = false;  // nothing is added to `waiting` any more
  bool hangs = false;

  bool is_watch = false;
  FakeRequest request;
  uint64_t sent = 0;    // the revision up to which events are in `waiting` or sent
  uint64_t behind = 0;  // nothing newer is sent until caught_up
  FakeApiServer::Time caught_up{};
  FakeApiServer::Time next_bookmark{};
  FakeApiServer::Time over{};
};

}  // namespace

struct FakeApiServer::Impl {
  explicit Impl(uint64_t seed) : random(seed), says_expired_by_event(chance(0.5)) {}

  std::mt19937_64 random;
  const bool says_expired_by_event;  // or else by the status of the response
  Faults faults;
  FakeApiStore store;
  uint64_t compacted = 0;
  std::map<StreamId, Stream> streams;
  StreamId last_stream = 0;
  uint64_t requests = 0;
  std::string violation;

  bool chance(double probability) {
    return probability > 0 && std::uniform_real_distribution<>(0, 1)(random) < probability;
  }
  uint64_t below(uint64_t limit) {
    return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random);
  }
  void violate(std::string what) {
    if (violation.empty()) violation = std::move(what);
  }

  size_t type_of(const ResourceType& type) const;
  http::ClientResponse list(const FakeRequest& request);
  http::ClientResponse change(const http::ClientRequest& request, const FakeRequest& parsed);
  Json shown(const FakeVersion& version, const FakeRequest& request) const;
  void open_list(Stream& stream);
  void open_watch(Stream& stream, Time now);
  void add_events(Stream& stream, Time now);
  void add_event(Stream& stream, const FakeVersion& version);
  void add_line(Stream& stream, std::string_view type, const Json& object) const;
  void add_fault(Stream& stream);
  static void finish(Stream& stream, State end);
};

FakeApiServer::FakeApiServer(uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {}
FakeApiServer::~FakeApiServer() = default;

void FakeApiServer::serve(const ResourceType& type, Status status) {
  impl_->store.serve(type, status == Status::kSubresource);
}
void FakeApiServer::set_faults(const Faults& faults) {
  impl_->faults = faults;
}
uint64_t FakeApiServer::requests() const {
  return impl_->requests;
}
const std::string& FakeApiServer::violation() const {
  return impl_->violation;
}
void FakeApiServer::close(StreamId id) {
  impl_->streams.erase(id);
}
uint64_t FakeApiServer::revision() const {
  return impl_->store.revision();
}
void FakeApiServer::compact(uint64_t revision) {
  impl_->compacted = std::clamp(revision, impl_->compacted, impl_->store.revision());
}

size_t FakeApiServer::Impl::type_of(const ResourceType& type) const {
  const auto index = store.find_type(type.group, type.version, type.plural);
  CHECK(index, "{} are not served", type.name());
  return *index;
}

void FakeApiServer::put(const ResourceType& type, const ObjectKey& key, std::string_view object) {
  const size_t index = impl_->type_of(type);
  Json json = Json::parse(object);
  json["apiVersion"] = type.api_version();
  json["kind"] = type.kind;
  json["metadata"]["name"] = key.name;
  const bool there = impl_->store.find(index, key) != nullptr;
  const auto response = there ? impl_->store.replace(index, key, json, false)
                              : impl_->store.create(index, key.namespace_, json);
  CHECK(response.status < 300, "{}", response.body);
}

void FakeApiServer::remove(const ResourceType& type, const ObjectKey& key) {
  impl_->store.remove(impl_->type_of(type), key, Json::object());
}

FakeApiServer::Versions FakeApiServer::versions(const Selection& of) const {
  const FakeSelector which{.type = impl_->type_of(of.type),
                           .namespace_ = of.namespace_,
                           .labels = of.labels,
                           .fields = {}};
  Versions all;
  for (const auto& [key, version] : impl_->store.at(which, impl_->store.revision())) {
    all[key] = std::to_string(version->revision);
  }
  return all;
}

std::optional<uint64_t> FakeApiServer::when(const Selection& of, const Versions& objects,
                                            uint64_t since) const {
  const FakeSelector which{.type = impl_->type_of(of.type),
                           .namespace_ = of.namespace_,
                           .labels = of.labels,
                           .fields = {}};
  Versions then;
  if (since < impl_->store.log().front().revision && objects.empty()) return since;
  for (const FakeVersion& version : impl_->store.log()) {
    const bool is = !version.deleted && FakeApiStore::matches(which, version);
    if (version.type == which.type && !is) then.erase(version.key);
    if (is) then[version.key] = std::to_string(version.revision);
    if (version.revision >= since && then == objects) return version.revision;
  }
  return std::nullopt;
}

bool FakeApiServer::had(const ResourceType& type, const ObjectKey& key,
                        std::string_view version) const {
  const auto& log = impl_->store.log();
  const auto found =
      std::ranges::lower_bound(log, std::stoull(std::string(version)), {}, &FakeVersion::revision);
  return found != log.end() && std::to_string(found->revision) == version &&
         found->type == impl_->type_of(type) && found->key == key && !found->deleted;
}

Json FakeApiServer::Impl::shown(const FakeVersion& version, const FakeRequest& request) const {
  if (!request.metadata_only) return version.object;
  return {{"apiVersion", "meta.k8s.io/v1"},
          {"kind", "PartialObjectMetadata"},
          {"metadata", version.object["metadata"]}};
}

// A page. Its continue token is "<revision>|<namespace>|<name of the last>".
http::ClientResponse FakeApiServer::Impl::list(const FakeRequest& request) {
  uint64_t revision = store.revision();
  const std::string at = request.parameter("resourceVersion");
  if (at == "0") revision = std::max(compacted, revision - below(std::min<uint64_t>(revision, 20)));
  std::optional<ObjectKey> after;
  if (const std::string token = request.parameter("continue"); !token.empty()) {
    const size_t first = token.find('|');
    const size_t second = token.find('|', first + 1);
    revision = std::stoull(token.substr(0, first));
    after = ObjectKey{token.substr(first + 1, second - first - 1), token.substr(second + 1)};
    if (revision < compacted) {
      return fake_status(410, "Expired", "The provided continue parameter is too old");
    }
  }
  const std::string limit_text = request.parameter("limit");
  const size_t limit = limit_text.empty() ? SIZE_MAX : std::stoul(limit_text);
  const ResourceType& type = store.type(request.which.type).type;
  Json items = Json::array();
  std::string token;
  ObjectKey last;
  for (const auto& [key, version] : store.at(request.which, revision)) {
    if (after && key <= *after) continue;
    if (items.size() == limit) {
      token = fmt::format("{}|{}|{}", revision, last.namespace_, last.name);
      break;
    }
    last = key;
    Json item = shown(*version, request);
    item.erase("apiVersion");
    item.erase("kind");
    items.push_back(std::move(item));
  }
  Json body{{"kind", type.kind + "List"},
            {"apiVersion", type.api_version()},
            {"metadata", {{"resourceVersion", std::to_string(revision)}}},
            {"items", std::move(items)}};
  if (!token.empty()) body["metadata"]["continue"] = token;
  return fake_answer(200, body);
}

http::ClientResponse FakeApiServer::handle(const http::ClientRequest& request) {
  ++impl_->requests;
  if (request.path == "/version") return fake_answer(200, {{"gitVersion", "v1.34.0-fake"}});
  const auto parsed = parse_fake_request(request, impl_->store);
  if (!parsed) {
    return fake_status(404, "NotFound", "the server could not find the requested resource");
  }
  if (request.method != "GET") return impl_->change(request, *parsed);
  if (parsed->name.empty()) return impl_->list(*parsed);
  const ObjectKey key{parsed->which.namespace_, parsed->name};
  const FakeVersion* found = impl_->store.find(parsed->which.type, key);
  if (found != nullptr) return fake_answer(200, impl_->shown(*found, *parsed));
  return fake_status(404, "NotFound",
                     fmt::format("{} \"{}\" not found",
                                 impl_->store.type(parsed->which.type).type.name(), parsed->name));
}

http::ClientResponse FakeApiServer::Impl::change(const http::ClientRequest& request,
                                                 const FakeRequest& parsed) {
  const size_t type = parsed.which.type;
  const ObjectKey key{parsed.which.namespace_, parsed.name};
  const bool status = parsed.subresource == "status";
  if (!parsed.subresource.empty() && !(status && store.type(type).has_status)) {
    return fake_status(404, "NotFound", "the server could not find the requested resource");
  }
  Json body = Json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  if (body.is_discarded()) return fake_status(400, "BadRequest", "the body is no JSON");
  if (request.method == "POST" && key.name.empty()) {
    return store.create(type, key.namespace_, std::move(body));
  }
  if (key.name.empty()) return fake_status(405, "MethodNotAllowed", "not of a collection");
  if (request.method == "PUT") return store.replace(type, key, std::move(body), status);
  if (request.method == "DELETE") return store.remove(type, key, body);
  if (request.method != "PATCH") return fake_status(405, "MethodNotAllowed", request.method);
  if (!parsed.parameter("dryRun").empty()) return fake_status(501, "", "no dry run here");
  for (const http::ClientHeader& header : request.headers) {
    if (header.name != "Content-Type") continue;
    if (header.value == "application/merge-patch+json") {
      return store.merge(type, key, body, status);
    }
    if (header.value == "application/apply-patch+yaml") {
      return store.apply(type, key, std::move(body), parsed.parameter("fieldManager"),
                         parsed.parameter("force") == "true", status);
    }
  }
  return fake_status(415, "UnsupportedMediaType", "the body's media type is not supported");
}

void FakeApiServer::Impl::finish(Stream& stream, State end) {
  stream.ending = true;
  stream.end = end;
}

FakeApiServer::StreamId FakeApiServer::open(const http::ClientRequest& request, Time now) {
  Impl& self = *impl_;
  ++self.requests;
  const StreamId id = ++self.last_stream;
  Stream& stream = self.streams[id];
  const auto parsed = parse_fake_request(request, self.store);
  if (!parsed || request.method != "GET" || !parsed->name.empty()) {
    stream.head = handle(request);
    stream.waiting = std::exchange(stream.head.body, {});
    Impl::finish(stream, State::kEnded);
    return id;
  }
  if (auto what = find_violation(request, *parsed); !what.empty()) self.violate(std::move(what));
  stream.request = *parsed;
  stream.is_watch = parsed->is_watch();
  if (self.chance(self.faults.refused)) {
    constexpr int kStatuses[] = {429, 500, 503, 504};
    const int status = kStatuses[self.below(4)];
    stream.head = fake_status(status, "", "not now");
    stream.waiting = std::exchange(stream.head.body, {});
    if (status == 429 || status == 503) stream.head.headers.push_back({"retry-after", "2"});
    Impl::finish(stream, State::kEnded);
  } else if (self.chance(self.faults.hangs)) {
    stream.hangs = true;
  } else if (self.chance(self.faults.broken)) {
    Impl::finish(stream, State::kBroken);
  } else if (stream.is_watch) {
    self.open_watch(stream, now);
  } else {
    self.open_list(stream);
  }
  return id;
}

void FakeApiServer::Impl::open_list(Stream& stream) {
  const bool goes_on = !stream.request.parameter("continue").empty();
  stream.head = goes_on && chance(faults.expired)
                    ? fake_status(410, "Expired", "The provided continue parameter is too old")
                    : list(stream.request);
  stream.waiting = std::exchange(stream.head.body, {});
  finish(stream, State::kEnded);
  if (chance(faults.cut)) {
    stream.waiting.resize(below(stream.waiting.size()));
    stream.end = chance(0.5) ? State::kBroken : State::kEnded;
  }
}

void FakeApiServer::Impl::open_watch(Stream& stream, Time now) {
  stream.sent = std::stoull(stream.request.parameter("resourceVersion"));
  stream.next_bookmark = now + kBookmarkPeriod;
  stream.over = now + seconds(std::stoll(stream.request.parameter("timeoutSeconds")));
  stream.head.status = 200;
  if (stream.sent < compacted) {
    const auto answer = fake_status(410, "Expired", "too old resource version");
    if (says_expired_by_event) {
      add_line(stream, "ERROR", Json::parse(answer.body));
    } else {
      stream.head.status = 410;
      stream.waiting = answer.body;
    }
    finish(stream, State::kEnded);
    return;
  }
  if (chance(faults.behind)) {
    stream.behind = store.revision() - below(std::min<uint64_t>(store.revision(), 10));
    stream.caught_up = now + seconds(below(90));
  }
}

void FakeApiServer::Impl::add_line(Stream& stream, std::string_view type,
                                   const Json& object) const {
  stream.waiting += Json{{"type", type}, {"object", object}}.dump() + "\n";
}

void FakeApiServer::Impl::add_event(Stream& stream, const FakeVersion& version) {
  // What it was before decides whether it has come into the selection or left it.
  const auto& log = store.log();
  const auto before =
      std::find_if(std::make_reverse_iterator(log.begin() + (&version - log.data())), log.rend(),
                   [&](const FakeVersion& each) {
                     return each.type == version.type && each.key == version.key;
                   });
  const FakeSelector& which = stream.request.which;
  const bool was =
      before != log.rend() && !before->deleted && FakeApiStore::matches(which, *before);
  const bool is = !version.deleted && FakeApiStore::matches(which, version);
  if (!was && !is) return;
  const std::string_view type = !is ? "DELETED" : was ? "MODIFIED" : "ADDED";
  add_line(stream, type, shown(version, stream.request));
  if (chance(faults.repeated)) add_line(stream, type, shown(version, stream.request));
}

void FakeApiServer::Impl::add_events(Stream& stream, Time now) {
  if (stream.sent < compacted && now < stream.caught_up) {
    add_line(stream, "ERROR",
             Json::parse(fake_status(410, "Expired", "too old resource version").body));
    finish(stream, State::kEnded);
    return;
  }
  const uint64_t newest = now < stream.caught_up ? stream.behind : store.revision();
  const auto& log = store.log();
  const auto first = std::ranges::upper_bound(log, stream.sent, {}, &FakeVersion::revision);
  for (auto version = first; version != log.end() && version->revision <= newest; ++version) {
    add_event(stream, *version);
    stream.sent = version->revision;
  }
  if (now >= stream.next_bookmark && newest >= stream.sent) {
    stream.next_bookmark = now + kBookmarkPeriod;
    stream.sent = newest;
    add_line(stream, "BOOKMARK",
             {{"kind", store.type(stream.request.which.type).type.kind},
              {"metadata", {{"resourceVersion", std::to_string(newest)}}}});
  }
}

// Something goes wrong with a watch, now and then.
void FakeApiServer::Impl::add_fault(Stream& stream) {
  const auto error = [&](int code, std::string_view reason) {
    add_line(stream, "ERROR", Json::parse(fake_status(code, reason, "an error").body));
    finish(stream, State::kEnded);
  };
  if (chance(faults.expired)) {
    error(410, "Expired");
  } else if (chance(faults.error_event)) {
    error(chance(0.5) ? 500 : 504, "InternalError");
  } else if (chance(faults.garbage)) {
    constexpr std::string_view kLines[] = {
        "}", "{\"type\":\"ADDED\"}", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}", "null",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"\"}}}"};
    const size_t end = stream.waiting.empty() ? 0 : stream.waiting.size() - 1;
    const size_t last = stream.waiting.rfind('\n', end == 0 ? 0 : end - 1);
    if (last != std::string::npos && last != end) {
      stream.waiting[last + 1] = '!';  // instead of an event
    } else {
      stream.waiting += std::string(kLines[below(std::size(kLines))]) + "\n";
    }
  } else if (chance(faults.endless_line)) {
    stream.waiting += std::string(kEndlessBytes, 'x');
  } else if (chance(faults.closed)) {
    finish(stream, State::kEnded);
  } else if (chance(faults.broken)) {
    finish(stream, State::kBroken);
  } else if (chance(faults.hangs)) {
    stream.hangs = true;
  }
}

FakeApiServer::Piece FakeApiServer::pull(StreamId id, Time now) {
  Impl& self = *impl_;
  const auto found = self.streams.find(id);
  CHECK(found != self.streams.end());
  Stream& stream = found->second;
  Piece piece;
  if (stream.hangs || self.chance(self.faults.slow)) return piece;
  if (stream.is_watch && !stream.ending) {
    self.add_events(stream, now);
    if (!stream.ending) self.add_fault(stream);
    if (now >= stream.over && !stream.ending) Impl::finish(stream, State::kEnded);
    if (stream.ending && !stream.waiting.empty() && self.chance(self.faults.cut)) {
      stream.waiting.resize(self.below(stream.waiting.size()));
    }
  }
  piece.status = stream.head.status;
  piece.retry_after = stream.head.header("retry-after");
  // Any part of it, however long.
  const bool part = self.faults.cut > 0 && !stream.waiting.empty() && self.chance(0.5);
  const size_t size = part ? self.below(stream.waiting.size()) : stream.waiting.size();
  piece.bytes = stream.waiting.substr(0, size);
  stream.waiting.erase(0, size);
  if (stream.ending && stream.waiting.empty()) piece.state = stream.end;
  return piece;
}

}  // namespace searchsync::kube
