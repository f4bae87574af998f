// Whatever is sent: nothing breaks, and what is taken is a row that the worker reads. With `p` as
// the first byte the path gives a column, too.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ingest/core/answer.h"
#include "ingest/core/event_reader.h"
#include "ingest/core/test_schema.h"
#include "lib/base/check.h"
#include "worker/core/decode.h"

using namespace searchsync;          // NOLINT
using namespace searchsync::ingest;  // NOLINT

namespace {

model::SourceBinding source() {
  const auto binding = test_binding();
  model::SourceBinding made;
  made.metadata.name = binding.name;
  made.spec.key = binding.key;
  made.spec.source = binding.source;
  return made;
}

void check(const EventSchema& schema, const Events& events, worker::Decoder& decoder) {
  for (const auto& record : events.batch.records) {
    const auto value = events.batch.value(record);
    const auto row = nlohmann::json::parse(value, nullptr, false);
    CHECK(row.is_object() && row.size() == schema.columns.size(), "{}", value);
    CHECK(value.find('\n') == value.npos);
    const auto decoded = decoder.decode(events.batch.key(record), value, Offset(1), 1);
    // A text that stands for what a database has not sent is refused, and kept as a dead letter.
    const bool reserved = value.find("__debezium_unavailable_value") != value.npos;
    CHECK(reserved || (decoded && (*decoded)->row == value), "{}", value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const EventSchema schema(test_binding());
  static EventReader reader;
  static worker::Decoder decoder(source());
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const PathValue path[] = {{"domain", input.substr(1, 10)}};
  for (const auto form : {BodyForm::kJson, BodyForm::kNdjson}) {
    for (const auto on_error : {OnError::kReject, OnError::kAccept}) {
      EventRequest request{.body = input.substr(1), .form = form, .on_error = on_error, .path = {}};
      if (input.front() == 'p') request.path = path;
      const auto events = reader.read(schema, request);
      if (!events) continue;
      const bool taken = on_error == OnError::kAccept || events->faults.empty();
      if (taken) check(schema, *events, decoder);
      const std::vector<Receipt> receipts(events->batch.records.size(), Receipt{true, 1, 2});
      for (const auto& answer :
           {render_faults(events->faults),
            render_accepted(events->batch, receipts, events->faults, ReceiptsAsked::kAll)}) {
        CHECK(nlohmann::json::accept(answer), "{}", answer);
      }
    }
  }
  return 0;
}
