#include "worker/core/decode.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "worker/core/tuple.h"

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;

std::unexpected<Error> malformed(std::string_view what, simdjson::error_code error) {
  return fail(ErrorCode::kMalformed, fmt::format("{}: {}", what, simdjson::error_message(error)));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

// Line breaks would tear a bulk request apart, and are not allowed inside strings anyway.
bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// What an envelope says, before it is judged.
struct Envelope {
  std::string_view op;
  std::optional<std::string_view> after;
  bool has_after = false;
  bool is_postgres = false;
  uint64_t epoch = 0;
  uint64_t lsn = 0;
  uint64_t changed_at_us = 0;
};

}  // namespace

struct Decoder::Impl {
  std::vector<std::string> columns;  // of the key
  model::RecordFormat format = model::RecordFormat::kDebezium;
  bool captured = false;  // by our own capture, whose positions are the database's
  ondemand::parser parser;
  std::string padded;
  std::string compact;
  std::string key;
  std::vector<std::string> fragments;

  void pad(std::string_view text) {
    padded.assign(text);
    padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  }

  Result<void> read_key(std::string_view json, std::string_view what);
  Result<void> key_of(ondemand::object object, std::string_view what);
  Result<std::string_view> checked(std::string_view row);
  simdjson::error_code read_source(ondemand::object source, Envelope& envelope);
  simdjson::error_code read_envelope(ondemand::object object, Envelope& envelope);
  Result<Envelope> parse_envelope(std::string_view value);
};

Result<void> Decoder::Impl::key_of(ondemand::object object, std::string_view what) {
  fragments.assign(columns.size(), {});
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(name)) return malformed(what, error);
    if (auto error = field.value().get(value)) return malformed(what, error);
    const auto column = std::ranges::find(columns, name);
    if (column == columns.end()) continue;
    fragments[static_cast<size_t>(column - columns.begin())] = trimmed(value.raw_json_token());
  }
  key.clear();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) key += '\x1f';
    if (!append_scalar_text(fragments[i], key)) {
      return fail(ErrorCode::kMalformed,
                  fmt::format("{} has no value for the key's column {}: a scalar is expected", what,
                              columns[i]));
    }
  }
  if (key.size() > kKeyBytesMax) {
    return fail(ErrorCode::kMalformed,
                fmt::format("the key has {} bytes; at most {} can be a document's id", key.size(),
                            kKeyBytesMax));
  }
  return {};
}

// json: the key's object, or that object as the payload beside its schema.
Result<void> Decoder::Impl::read_key(std::string_view json, std::string_view what) {
  pad(json);
  ondemand::document document;
  ondemand::object object;
  if (auto error = parser.iterate(padded).get(document)) return malformed(what, error);
  if (auto error = document.get_object().get(object)) return malformed(what, error);
  ondemand::object payload;
  if (json.find("\"payload\"") != std::string_view::npos &&
      object.find_field_unordered("payload").get_object().get(payload) == simdjson::SUCCESS) {
    return key_of(payload, what);
  }
  if (auto error = parser.iterate(padded).get(document)) return malformed(what, error);
  if (auto error = document.get_object().get(object)) return malformed(what, error);
  return key_of(object, what);
}

Result<std::string_view> Decoder::Impl::checked(std::string_view row) {
  if (!has_control_characters(row)) return row;
  compact.resize(row.size());
  size_t size = 0;
  if (auto error = simdjson::minify(row.data(), row.size(), compact.data(), size)) {
    return malformed("the row", error);
  }
  compact.resize(size);
  if (has_control_characters(compact)) {
    return fail(ErrorCode::kMalformed, "the row has a control character inside a string");
  }
  return compact;
}

simdjson::error_code Decoder::Impl::read_source(ondemand::object source, Envelope& envelope) {
  for (auto field : source) {
    std::string_view name;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(name)) return error;
    if (auto error = field.value().get(value)) return error;
    uint64_t number = 0;
    if (name == "connector") {
      std::string_view connector;
      if (auto error = value.get_string().get(connector)) return error;
      envelope.is_postgres = connector == "postgresql";
    } else if (name == "lsn" && value.get_uint64().get(number) == simdjson::SUCCESS) {
      envelope.lsn = number;
    } else if (name == "epoch" && value.get_uint64().get(number) == simdjson::SUCCESS) {
      envelope.epoch = number;
    } else if (name == "ts_us" && value.get_uint64().get(number) == simdjson::SUCCESS) {
      envelope.changed_at_us = number;
    } else if (name == "ts_ms" && envelope.changed_at_us == 0 &&
               value.get_uint64().get(number) == simdjson::SUCCESS) {
      envelope.changed_at_us = number * 1000;
    }
  }
  return simdjson::SUCCESS;
}

simdjson::error_code Decoder::Impl::read_envelope(ondemand::object object, Envelope& envelope) {
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(name)) return error;
    if (auto error = field.value().get(value)) return error;
    if (name == "op") {
      if (auto error = value.get_string().get(envelope.op)) return error;
    } else if (name == "after") {
      envelope.has_after = true;
      ondemand::object after;
      if (value.is_null()) continue;
      if (auto error = value.get_object().get(after)) return error;
      std::string_view raw;
      if (auto error = after.raw_json().get(raw)) return error;
      envelope.after = raw;
    } else if (name == "source") {
      ondemand::object source;
      if (auto error = value.get_object().get(source)) return error;
      if (auto error = read_source(source, envelope)) return error;
    }
  }
  return simdjson::SUCCESS;
}

Result<Envelope> Decoder::Impl::parse_envelope(std::string_view value) {
  pad(value);
  ondemand::document document;
  ondemand::object object;
  Envelope envelope;
  if (auto error = parser.iterate(padded).get(document))
    return malformed("the value is not JSON", error);
  if (auto error = document.get_object().get(object))
    return malformed("the value is not an object", error);
  if (auto error = read_envelope(object, envelope)) return malformed("the change event", error);
  if (envelope.op.empty()) {
    return fail(ErrorCode::kMalformed,
                "the value is not a change event: it has no \"op\"; expected Debezium's envelope "
                "(before, after, source, op), or set format: Json");
  }
  return envelope;
}

Decoder::Decoder(const model::SourceBinding& binding) : impl_(std::make_unique<Impl>()) {
  impl_->columns = binding.spec.key;
  if (const auto* kafka = std::get_if<model::KafkaSource>(&binding.spec.source)) {
    impl_->format = kafka->format;
  } else {
    impl_->captured = true;
  }
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

Result<std::optional<SourceRow>> Decoder::decode(std::optional<std::string_view> key,
                                                 std::optional<std::string_view> value,
                                                 Offset offset, int64_t timestamp_ms) {
  Impl& impl = *impl_;
  // The deletion before it said the same, with its position.
  if (!value && impl.captured) return std::nullopt;
  SourceRow row;
  row.position = {0, static_cast<uint64_t>(offset.get())};
  row.changed_at_us = timestamp_ms > 0 ? static_cast<uint64_t>(timestamp_ms) * 1000 : 0;
  if (impl.format == model::RecordFormat::kJson && value) {
    RETURN_IF_ERROR(impl.read_key(*value, "the row"));
    ASSIGN_OR_RETURN(row.row, impl.checked(trimmed(*value)));
    row.key = impl.key;
    return row;
  }
  if (!key) {
    return fail(ErrorCode::kMalformed,
                "the record has no key: the key's columns are expected in it");
  }
  if (impl.format == model::RecordFormat::kJson && !key->starts_with('{')) {
    impl.key = *key;
  } else {
    RETURN_IF_ERROR(impl.read_key(*key, "the record's key"));
  }
  row.key = impl.key;
  if (!value) return row;
  ASSIGN_OR_RETURN(const Envelope envelope, impl.parse_envelope(*value));
  if (envelope.epoch != 0 && envelope.is_postgres) row.position = {envelope.epoch, envelope.lsn};
  if (envelope.changed_at_us != 0) row.changed_at_us = envelope.changed_at_us;
  if (envelope.op == "t" || envelope.op == "m") return std::nullopt;
  if (envelope.op == "d") return row;
  if (!envelope.after) {
    return fail(ErrorCode::kMalformed,
                fmt::format("the change event of op \"{}\" has no \"after\"", envelope.op));
  }
  ASSIGN_OR_RETURN(row.row, impl.checked(*envelope.after));
  return row;
}

}  // namespace searchsync::worker
