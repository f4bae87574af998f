#include "lib/kube/reflector_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "lib/base/check.h"
#include "lib/kube/list_query.h"

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kHealthyAfter{10};  // a watch that lasts so long is no failure; or half its time
constexpr seconds kWatchGrace{30};    // for a server to end a watch when its time is over
constexpr seconds kRetryAfterMax{60};
constexpr int kRefusalsMax = 3;
constexpr int kExpiredPagesMax = 2;
constexpr size_t kErrorBytesMax = 16 << 10;
constexpr size_t kBufferKept = 64 << 10;

ListOptions list_options(const ReflectorOptions& options) {
  return {.namespace_ = options.namespace_,
          .label_selector = options.label_selector,
          .field_selector = options.field_selector,
          .limit = 0,
          .continue_token = {},
          .content = options.content};
}

std::optional<uint64_t> number_of(std::string_view version) {
  uint64_t number = 0;
  const auto [end, failed] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  if (failed != std::errc() || end != version.data() + version.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string_view to_string(Interruption interruption) {
  switch (interruption) {
    case Interruption::kClosed:
      return "closed";
    case Interruption::kBroken:
      return "broken";
    case Interruption::kSilent:
      return "silent";
    case Interruption::kExpired:
      return "expired";
    case Interruption::kErrorEvent:
      return "error_event";
    case Interruption::kMalformed:
      return "malformed";
    case Interruption::kTooLong:
      return "too_long";
    case Interruption::kRefused:
      return "refused";
  }
  CHECK(false);
}

ReflectorCore::ReflectorCore(ReflectorOptions options, uint64_t seed)
    : options_(std::move(options)),
      text_(options_.type.scope),
      random_(seed),
      backoff_(options_.backoff, seed ^ 0x5eed),
      away_(options_.backoff, seed ^ 0xa3a7),
      page_limit_(options_.page_limit) {
  CHECK(options_.watch_min.count() > 0 && options_.watch_min <= options_.watch_max);
}

ReflectorCore::Todo ReflectorCore::next(Time now) {
  if (busy_) {
    if (!ignoring_) {
      const Time dead =
          heard_ + (phase_ == Phase::kWatch ? options_.silence_max : options_.list_timeout);
      if (now < dead) return Wait{dead};
      interrupt(Interruption::kSilent, Recovery::kGoOn, now,
                fmt::format("nothing has come for {} s",
                            std::chrono::duration_cast<seconds>(now - heard_).count()));
    }
    busy_ = false;
    return Cancel{};
  }
  if (now < not_before_) return Wait{not_before_};
  busy_ = true;
  ignoring_ = false;
  sent_ = now;
  heard_ = now;
  progressed_ = false;
  answered_ = false;
  buffer_.clear();
  if (buffer_.capacity() > kBufferKept) buffer_.shrink_to_fit();
  return phase_ == Phase::kList ? make_list() : make_watch();
}

ReflectorCore::Send ReflectorCore::make_list() {
  if (listing_.continue_token.empty()) ++counters_.lists;
  ListOptions asked = list_options(options_);
  asked.limit = expired_pages_ >= kExpiredPagesMax ? 0 : page_limit_;
  asked.continue_token = listing_.continue_token;
  return {.path = collection_path(options_.type, options_.namespace_) + list_query(asked),
          .accept = std::string(list_accept(options_.content)),
          .timeout = options_.list_timeout};
}

ReflectorCore::Send ReflectorCore::make_watch() {
  ++counters_.watches;
  std::uniform_int_distribution<int64_t> between(options_.watch_min.count(),
                                                 options_.watch_max.count());
  const seconds timeout(between(random_));
  healthy_ = sent_ + std::min<Time::duration>(kHealthyAfter, timeout / 2);
  return {.path = collection_path(options_.type, options_.namespace_) +
                  watch_query(list_options(options_), version_, timeout),
          .accept = std::string(watch_accept(options_.content)),
          .timeout = timeout + kWatchGrace};
}

void ReflectorCore::on_bytes(int status, std::string_view bytes, Time now, ReflectorSink& sink) {
  CHECK(busy_);
  if (ignoring_) return;
  heard_ = now;
  last_receive_ = now;
  if (status == 200 && !std::exchange(answered_, true)) away_.reset();
  if (status != 200) {
    buffer_.append(bytes.substr(0, kErrorBytesMax - std::min(kErrorBytesMax, buffer_.size())));
  } else if (phase_ == Phase::kWatch) {
    problem_.clear();
    read_lines(bytes, now, sink);
  } else if (buffer_.size() + bytes.size() <= options_.page_bytes_max) {
    buffer_.append(bytes);
  } else {
    ignoring_ = true;
    const int before = std::exchange(page_limit_, std::max(1, page_limit_ / 2));
    interrupt(Interruption::kTooLong, Recovery::kRelist, now,
              fmt::format("a page of {} objects has more than {} bytes", before,
                          options_.page_bytes_max));
  }
}

void ReflectorCore::on_end(const Result<ResponseEnd>& end, Time now, ReflectorSink& sink) {
  CHECK(busy_);
  busy_ = false;
  if (ignoring_) return;
  if (!end) {
    counters_.torn += phase_ == Phase::kWatch && !buffer_.empty() ? 1 : 0;
    interrupt(Interruption::kBroken, Recovery::kGoOn, now, end.error().message);
  } else if (end->status != 200) {
    refused(end->status, end->retry_after, now);
  } else if (phase_ == Phase::kWatch) {
    end_watch(now);
  } else {
    end_list(now, sink);
  }
}

void ReflectorCore::read_lines(std::string_view bytes, Time now, ReflectorSink& sink) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (buffer_.size() + part.size() > options_.line_bytes_max) {
      ignoring_ = true;
      // A list may hold what is too long for a line.
      interrupt(Interruption::kTooLong, Recovery::kRelist, now,
                fmt::format("an event has more than {} bytes", options_.line_bytes_max));
      return;
    }
    if (end == std::string_view::npos) {
      buffer_.append(part);
      return;
    }
    bytes.remove_prefix(end + 1);
    if (buffer_.empty()) {
      if (!read_line(part, now, sink)) return;
    } else {
      buffer_.append(part);
      if (!read_line(buffer_, now, sink)) return;
      buffer_.clear();
    }
  }
}

bool ReflectorCore::read_line(std::string_view line, Time now, ReflectorSink& sink) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
  const auto event = text_.read_event(line);
  if (!event) {
    ignoring_ = true;
    interrupt(Interruption::kMalformed, Recovery::kRelist, now, event.error().message);
    return false;
  }
  if (event->type == WatchEvent::Type::kError) {
    ignoring_ = true;
    const bool expired = event->error_code == 410;
    const bool unsure = expired || ++refusals_ >= kRefusalsMax;
    interrupt(expired ? Interruption::kExpired : Interruption::kErrorEvent,
              unsure ? Recovery::kRelist : Recovery::kGoOn, now,
              fmt::format("the watch ended: {} ({})", event->message, event->error_code));
    return false;
  }
  if (goes_back(event->object.resource_version)) {
    if (event->type == WatchEvent::Type::kBookmark) return true;
    ignoring_ = true;
    interrupt(Interruption::kMalformed, Recovery::kRelist, now,
              fmt::format("an event of version {} came after {}", event->object.resource_version,
                          version_));
    return false;
  }
  progressed_ = true;
  refusals_ = 0;
  problem_.clear();
  if (event->type == WatchEvent::Type::kBookmark) {
    ++counters_.bookmarks;
  } else {
    counters_.events += apply_event(*event, sink) ? 1 : 0;
  }
  version_ = event->object.resource_version;
  return true;
}

// Versions of one server's etcd are numbers that grow; where they are not, nothing can be said.
bool ReflectorCore::goes_back(std::string_view version) const {
  const auto before = number_of(version_);
  const auto after = number_of(version);
  return before && after && *after < *before;
}

// False if it is known already.
bool ReflectorCore::apply_event(const WatchEvent& event, ReflectorSink& sink) {
  const ObjectText& object = event.object;
  const auto found = objects_.find(object.key);
  std::vector<Change> changes;
  const auto remove = [&] {
    changes.push_back({.kind = Change::Kind::kRemoved,
                       .key = found->first,
                       .uid = found->second.uid,
                       .resource_version = found->second.resource_version,
                       .object = {}});
  };
  if (event.type == WatchEvent::Type::kDeleted) {
    if (found == objects_.end()) return false;
    remove();
    sink.apply(changes);
    objects_.erase(found);
    return true;
  }
  if (found != objects_.end()) {
    if (found->second.resource_version == object.resource_version) return false;
    if (found->second.uid != object.uid) remove();
  }
  changes.push_back({.kind = Change::Kind::kPut,
                     .key = object.key,
                     .uid = object.uid,
                     .resource_version = object.resource_version,
                     .object = object.object});
  sink.apply(changes);
  objects_.insert_or_assign(object.key,
                            Known{.uid = std::string(object.uid),
                                  .resource_version = std::string(object.resource_version)});
  return true;
}

void ReflectorCore::end_watch(Time now) {
  if (!buffer_.empty()) {
    ++counters_.torn;
    interrupt(Interruption::kBroken, Recovery::kGoOn, now, "the watch ended within an event");
    return;
  }
  interrupt(Interruption::kClosed, Recovery::kGoOn, now,
            progressed_ || now >= healthy_ ? "" : "the watch ended at once");
}

void ReflectorCore::end_list(Time now, ReflectorSink& sink) {
  auto page = text_.read_page(std::exchange(buffer_, {}));
  if (!page) {
    interrupt(Interruption::kMalformed, Recovery::kRelist, now, page.error().message);
    return;
  }
  const auto next = page->continue_token;
  if (!add_page(std::move(*page))) {
    interrupt(Interruption::kMalformed, Recovery::kRelist, now,
              "pages of a list do not show one state");
    return;
  }
  if (listing_.bytes > options_.list_bytes_max) {
    interrupt(Interruption::kTooLong, Recovery::kRelist, now,
              fmt::format("the list has more than {} bytes; narrow it by selectors",
                          options_.list_bytes_max));
    return;
  }
  not_before_ = now;
  if (!next.empty()) {
    listing_.continue_token = next;
    return;
  }
  apply_list(sink);
  phase_ = Phase::kWatch;
}

bool ReflectorCore::add_page(PageText page) {
  if (listing_.version.empty()) listing_.version = page.resource_version;
  if (listing_.version != page.resource_version) return false;
  const size_t before = listing_.changed.size();
  for (PageItem& item : page.items) {
    const auto [place, is_new] = listing_.objects.try_emplace(
        std::move(item.key),
        Known{.uid = std::move(item.uid), .resource_version = std::move(item.resource_version)});
    if (!is_new) return false;
    const auto& [key, now] = *place;
    const auto known = objects_.find(key);
    if (known != objects_.end() && known->second == now) continue;
    listing_.changed.emplace_back(&key, item.object);
  }
  if (listing_.changed.size() > before) {
    listing_.bytes += page.text.size();
    listing_.pages.push_back(std::move(page.text));
  }
  return true;
}

void ReflectorCore::apply_list(ReflectorSink& sink) {
  std::vector<Change> changes;
  for (const auto& [key, known] : objects_) {
    const auto found = listing_.objects.find(key);
    if (found != listing_.objects.end() && found->second.uid == known.uid) continue;
    changes.push_back({.kind = Change::Kind::kRemoved,
                       .key = key,
                       .uid = known.uid,
                       .resource_version = known.resource_version,
                       .object = {}});
  }
  for (const auto& [key, object] : listing_.changed) {
    const Known& known = listing_.objects.at(*key);
    changes.push_back({.kind = Change::Kind::kPut,
                       .key = *key,
                       .uid = known.uid,
                       .resource_version = known.resource_version,
                       .object = object});
  }
  counters_.events += changes.size();
  if (!changes.empty()) sink.apply(changes);
  objects_ = std::move(listing_.objects);
  version_ = std::move(listing_.version);
  listing_ = {};
  expired_pages_ = 0;
  refusals_ = 0;
  synced_ = true;
  problem_.clear();
  sink.synced();
}

void ReflectorCore::refused(int status, std::string_view retry_after, Time now) {
  const ApiError error =
      read_api_error(phase_ == Phase::kWatch ? "watch" : "list", status, buffer_, retry_after);
  if (error.reason == ApiReason::kExpired) {
    if (phase_ == Phase::kList && !listing_.continue_token.empty()) ++expired_pages_;
    interrupt(Interruption::kExpired, Recovery::kRelist, now, error.message, error.retry_after);
    return;
  }
  const bool is_away = error.reason == ApiReason::kTooManyRequests ||
                       error.reason == ApiReason::kUnavailable ||
                       error.reason == ApiReason::kUnauthorized;
  // A server that was restored from a backup refuses versions it does not know yet, for ever.
  const bool unsure = phase_ == Phase::kWatch && !is_away && ++refusals_ >= kRefusalsMax;
  interrupt(Interruption::kRefused, unsure ? Recovery::kRelist : Recovery::kGoOn, now,
            error.message, error.retry_after);
}

void ReflectorCore::interrupt(Interruption why, Recovery recovery, Time now, std::string problem,
                              std::optional<seconds> retry_after) {
  ++counters_.interruptions[static_cast<size_t>(why)];
  problem_ = std::move(problem);
  const bool healthy = phase_ == Phase::kWatch && now >= healthy_;
  if (recovery == Recovery::kRelist) {
    phase_ = Phase::kList;
    listing_ = {};
  }
  // An event is progress enough to go on soon, but not to list again soon.
  if (healthy || (progressed_ && recovery == Recovery::kGoOn)) backoff_.reset();
  if (healthy && why == Interruption::kClosed) {
    not_before_ = now;
    return;
  }
  // What a server that was away has made us wait is not held against it when it is back.
  const bool was_away = !answered_ && why != Interruption::kExpired;
  const milliseconds wait = (was_away ? away_ : backoff_).next();
  not_before_ = now + wait;
  if (retry_after) {
    not_before_ = std::max(not_before_, now + std::min(*retry_after, kRetryAfterMax) +
                                            std::min(wait, milliseconds(1'000)));
  }
}

}  // namespace searchsync::kube
