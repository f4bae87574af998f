#include "ingest/core/answer.h"

#include <fmt/format.h>

#include <iterator>

#include "lib/base/check.h"
#include "worker/core/convert.h"

namespace searchsync::ingest {
namespace {

using worker::append_json_string;

void append_receipts(const Batch& batch, std::span<const Receipt> receipts, std::string& out) {
  CHECK(receipts.size() == batch.records.size());
  out += R"("receipts":[)";
  const char* separator = "";
  for (size_t i = 0; i < receipts.size(); ++i) {
    if (!receipts[i].acknowledged) continue;
    const Batch::Record& record = batch.records[i];
    fmt::format_to(std::back_inserter(out), R"({}{{"index":{})", separator, record.place);
    if (record.id_size > 0) out.append(R"(,"eventId":)").append(batch.id(record));
    fmt::format_to(std::back_inserter(out), R"(,"partition":{},"offset":{}}})",
                   receipts[i].partition, receipts[i].offset);
    separator = ",";
  }
  out += ']';
}

void append_fault(const Fault& fault, std::string& out) {
  if (!fault.field.empty()) {
    out += R"("field":)";
    append_json_string(fault.field, out);
    out += ',';
  }
  out += R"("reason":)";
  append_json_string(fault.reason, out);
}

void append_rejected(const Faults& faults, std::string& out) {
  out += R"("rejected":[)";
  auto fault = faults.list().begin();
  const char* separator = "";
  for (const size_t place : faults.places()) {
    fmt::format_to(std::back_inserter(out), R"({}{{"index":{},"faults":[)", separator, place);
    separator = "";
    for (; fault != faults.list().end() && fault->place == place; ++fault) {
      out.append(separator).append("{");
      append_fault(*fault, out);
      out += '}';
      separator = ",";
    }
    out += "]}";
    separator = ",";
  }
  out += ']';
}

}  // namespace

std::string render_accepted(const Batch& batch, std::span<const Receipt> receipts,
                            const Faults& faults, ReceiptsAsked asked) {
  constexpr size_t kReceiptBytes = 100;
  std::string out;
  if (asked == ReceiptsAsked::kAll) out.reserve(64 + kReceiptBytes * receipts.size());
  fmt::format_to(std::back_inserter(out), R"({{"accepted":{})", batch.records.size());
  if (asked == ReceiptsAsked::kAll) {
    out += ',';
    append_receipts(batch, receipts, out);
  }
  if (!faults.empty()) {
    out += ',';
    append_rejected(faults, out);
  }
  return out + "}";
}

std::string render_faults(const Faults& faults) {
  const size_t events = faults.places().size();
  std::string out = R"({"error":{"code":"invalid_events","message":")";
  if (faults.full()) {
    out += fmt::format("nothing was taken; these are the first {} faults", Faults::kMax);
  } else if (events == 1) {
    out += "an event has faults: nothing was taken";
  } else {
    out += fmt::format("{} events have faults: nothing was taken", events);
  }
  out += R"(","faults":[)";
  const char* separator = "";
  for (const Fault& fault : faults.list()) {
    fmt::format_to(std::back_inserter(out), R"({}{{"index":{},)", separator, fault.place);
    append_fault(fault, out);
    out += '}';
    separator = ",";
  }
  return out + "]}}";
}

std::string render_unacknowledged(std::string_view code, std::string_view message,
                                  const Batch& batch, std::span<const Receipt> receipts) {
  std::string out = fmt::format(R"({{"error":{{"code":"{}","message":)", code);
  append_json_string(message, out);
  out += "},";
  append_receipts(batch, receipts, out);
  return out + "}";
}

}  // namespace searchsync::ingest
