#include "worker/core/pending.h"

#include "lib/base/check.h"

namespace searchsync::worker {
namespace {

void append_long_string(std::string& out, std::string_view text) {
  append_integer(out, static_cast<uint32_t>(text.size()));
  out += text;
}

std::string long_string(ByteReader& reader) {
  return std::string(reader.bytes(reader.integer<uint32_t>()));
}

}  // namespace

std::string encode_pending(Offset since, Offset last, const Work& work) {
  std::string out;
  append_integer(out, since.get());
  append_integer(out, last.get());
  append_integer(out, static_cast<uint32_t>(work.sends.size()));
  for (const auto& [partition, message] : work.sends) {
    append_integer(out, partition.get());
    append_long_string(out, message.key);
    append_integer(out, static_cast<uint8_t>(message.value.has_value()));
    append_long_string(out, message.value ? *message.value : message.meta);
  }
  append_integer(out, static_cast<uint32_t>(work.refused.size()));
  for (const auto& refused : work.refused) {
    append_integer(out, refused.offset.get());
    append_long_string(out, refused.reason);
    append_long_string(out, refused.key);
    append_integer(out, static_cast<uint8_t>(refused.value.has_value()));
    append_long_string(out, refused.value.value_or(""));
  }
  append_integer(out, static_cast<uint32_t>(work.touched.size()));
  for (const auto& touch : work.touched) {
    append_long_string(out, touch.root);
    append_integer(out, touch.changed_at_us);
  }
  return out;
}

Pending decode_pending(std::string_view bytes) {
  ByteReader reader(bytes);
  Pending pending;
  pending.since = Offset(reader.integer<int64_t>());
  pending.last = Offset(reader.integer<int64_t>());
  for (auto left = reader.integer<uint32_t>(); left > 0 && reader.ok(); --left) {
    auto& [partition, message] = pending.sends.emplace_back();
    partition = Partition(reader.integer<int32_t>());
    message.key = long_string(reader);
    const bool has_value = reader.integer<uint8_t>() != 0;
    (has_value ? message.value.emplace() : message.meta) = long_string(reader);
  }
  for (auto left = reader.integer<uint32_t>(); left > 0 && reader.ok(); --left) {
    auto& refused = pending.refused.emplace_back();
    refused.offset = Offset(reader.integer<int64_t>());
    refused.reason = long_string(reader);
    refused.key = long_string(reader);
    const bool has_value = reader.integer<uint8_t>() != 0;
    auto value = long_string(reader);
    if (has_value) refused.value = std::move(value);
  }
  for (auto left = reader.integer<uint32_t>(); left > 0 && reader.ok(); --left) {
    auto root = long_string(reader);
    pending.touched.push_back({std::move(root), reader.integer<uint64_t>()});
  }
  CHECK(reader.ok(), "the record of work under way is torn");
  return pending;
}

}  // namespace searchsync::worker
