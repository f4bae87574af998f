#include "operator/cluster/recorder.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/time_text.h"
#include "lib/base/utf8.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

// The API server refuses longer ones.
constexpr size_t kNoteMax = 1024;  // bytes

std::string micro_time() {
  return format_micro_time(
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

}  // namespace

void Recorder::record(const kube::ResourceType& type, const Meta& object, EventType event,
                      std::string_view reason, std::string_view action, std::string_view note) {
  const auto now = Clock::now();
  const Key key{object.uid, std::string(reason), std::string(note)};
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& one) { return now - one.second.last > kSeries; });
    const auto [place, added] = entries_.try_emplace(key);
    if (added) {
      place->second.name = fmt::format(
          "{}.{}", object.key.name,
          stable_hash_hex(fmt::format("{}{}{}{}", object.uid, reason, note, micro_time()), 16));
    } else {
      ++place->second.count;
    }
    place->second.last = now;
    entry = place->second;
  }
  nlohmann::json body = {{"apiVersion", event_type().api_version()},
                         {"kind", event_type().kind},
                         {"metadata", {{"name", entry.name}, {"namespace", object.key.namespace_}}},
                         {"eventTime", micro_time()},
                         {"type", event == EventType::kWarning ? "Warning" : "Normal"},
                         {"reason", reason},
                         {"action", action},
                         {"note", cut_utf8(note, kNoteMax)},
                         {"reportingController", "searchsync.io/operator"},
                         {"reportingInstance", instance_},
                         {"regarding",
                          {{"apiVersion", type.api_version()},
                           {"kind", type.kind},
                           {"namespace", object.key.namespace_},
                           {"name", object.key.name},
                           {"uid", object.uid}}}};
  kube::ApiResult<std::string> written;
  if (entry.count == 1) {
    written = client_.create(event_type(), object.key.namespace_,
                             body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    const nlohmann::json series = {
        {"series", {{"count", entry.count}, {"lastObservedTime", micro_time()}}}};
    written = client_.merge_patch(event_type(), {object.key.namespace_, entry.name}, series.dump());
  }
  if (!written) {
    log::warning("event {} of {} is lost: {}", reason, to_string(object.key),
                 written.error().message);
  }
}

}  // namespace searchsync::cluster
