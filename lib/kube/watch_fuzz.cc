// Whatever a server sends, as a list, a watch or an error: changes that make sense; never a crash,
// nor a request at once again and again.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "lib/base/check.h"
#include "lib/kube/reflector_core.h"

namespace searchsync::kube {
namespace {

// Objects are removed only if they are there, and have all that they must have.
class Follower final : public ReflectorSink {
 public:
  void apply(std::span<const Change> changes) override {
    CHECK(!changes.empty());
    for (const Change& change : changes) {
      CHECK(!change.key.name.empty() && !change.uid.empty() && !change.resource_version.empty());
      if (change.kind == Change::Kind::kRemoved) {
        CHECK(objects.erase(change.key) == 1);
      } else {
        CHECK(change.object.starts_with('{') && change.object.ends_with('}'));
        objects[change.key] = change.resource_version;
      }
    }
  }
  void synced() override {}
  std::map<ObjectKey, std::string> objects;
};

// The input is what the server sends: each response is a byte that says its status and how it ends,
// and its body up to the next zero.
void follow(std::string_view input) {
  ReflectorCore core(
      {.type = {.group = "", .version = "v1", .plural = "configmaps", .kind = "ConfigMap"},
       .page_bytes_max = 64 << 10,
       .line_bytes_max = 4 << 10},
      1);
  Follower follower;
  ReflectorCore::Time now(std::chrono::seconds(1'000));
  while (!input.empty()) {
    const auto todo = core.next(now);
    if (const auto* wait = std::get_if<ReflectorCore::Wait>(&todo)) {
      CHECK(wait->until > now);
      now = wait->until;
      continue;
    }
    if (std::holds_alternative<ReflectorCore::Cancel>(todo)) continue;
    const auto how = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    const std::string_view body = input.substr(0, input.find('\0'));
    input.remove_prefix(std::min(body.size() + 1, input.size()));
    constexpr int kStatuses[] = {200, 200, 200, 200, 200, 200, 410, 503};
    const int status = kStatuses[how % 8];
    const size_t half = body.size() * ((how >> 4) & 3) / 4;
    core.on_bytes(status, body.substr(0, half), now, follower);
    core.on_bytes(status, body.substr(half), now, follower);
    Result<ReflectorCore::ResponseEnd> end = ReflectorCore::ResponseEnd{status, "1"};
    if ((how & 8) != 0) end = fail(ErrorCode::kUnavailable, "reset");
    core.on_end(end, now, follower);
    CHECK(core.objects() == follower.objects.size());
  }
}

}  // namespace
}  // namespace searchsync::kube

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  searchsync::kube::follow({reinterpret_cast<const char*>(data), size});
  return 0;
}
