#include "worker/core/decode.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "lib/model/pipeline.h"
#include "worker/core/connect.h"
#include "worker/core/convert.h"
#include "worker/core/json_check.h"
#include "worker/core/tuple.h"
#include "worker/core/unavailable.h"

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kSchemasMax = 64;

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::kMalformed, std::string(what));
}

std::unexpected<Error> malformed(std::string_view where, simdjson::error_code error) {
  return malformed(fmt::format("{}: {}", excerpt(where), simdjson::error_message(error)));
}

// A column of that name, in whatever a record says.
std::string column_called(std::string_view name) {
  return fmt::format("column {}", excerpt(name));
}

// The schemas that came with the records of one topic, by their text.
class Schemas {
 public:
  // The pointer stays valid until the next call.
  Result<const ConnectForm*> parse(std::string_view text) {
    for (const auto* recent : {recent_[0], recent_[1]}) {
      if (recent != nullptr && recent->first == text) return &recent->second;
    }
    if (forms_.size() >= kSchemasMax) forget();
    auto found = forms_.find(std::string(text));
    if (found == forms_.end()) {
      auto form = parse_connect_schema(text);
      if (!form) return fail(form.error(), "schema");
      found = forms_.emplace(text, std::move(*form)).first;
    }
    recent_[1] = std::exchange(recent_[0], &*found);  // of the key and of the value
    return &found->second;
  }

 private:
  using Entry = std::pair<const std::string, ConnectForm>;

  void forget() {
    forms_.clear();
    recent_[0] = recent_[1] = nullptr;
  }

  std::unordered_map<std::string, ConnectForm> forms_;
  const Entry* recent_[2] = {};
};

// What an envelope says, before it is judged.
struct Envelope {
  std::string_view op;
  std::string_view connector;
  std::optional<uint64_t> epoch;
  std::optional<uint64_t> lsn;
  uint64_t changed_at_us = 0;
  std::optional<std::string_view> row;
};

}  // namespace

struct Decoder::Impl {
  std::string binding;
  std::vector<std::string> columns;  // of the key
  model::RecordFormat format = model::RecordFormat::kDebezium;
  bool captured = false;  // by our own capture
  ondemand::parser parser;
  ondemand::document document;
  Schemas schemas;
  std::string padded;
  std::string key;
  std::string row;
  std::vector<std::string> fragments;  // of the key

  // An object, and what its schema says if it came with one.
  struct Parsed {
    std::optional<ondemand::object> object;  // nothing: null
    const ConnectForm* form = nullptr;
    bool wrapped = false;  // the payload beside a schema, be it null
  };

  Result<ondemand::object> open(std::string_view text);
  Result<Parsed> parse(std::string_view text);
  Result<bool> unwrap(ondemand::object object, Parsed& parsed);
  Result<void> rewind(Parsed& parsed);
  Result<void> close(const Parsed& parsed);

  Result<std::optional<SourceRow>> decode_row(std::optional<std::string_view> record_key,
                                              std::optional<std::string_view> value,
                                              SourceRow made);
  Result<std::optional<SourceRow>> decode_change(std::optional<std::string_view> record_key,
                                                 std::optional<std::string_view> value,
                                                 SourceRow made);
  Result<void> read_record_key(std::optional<std::string_view> text);
  Result<void> read_raw_key(std::string_view text);
  enum class Others { kAllowed, kRefused };  // columns that are not of the key
  Result<void> read_key(const Parsed& parsed, std::string_view where, Others others);
  Result<void> read_key_columns(const Parsed& parsed, Others others);
  Result<void> finish_key(std::string_view where);
  Result<Envelope> read_envelope(const Parsed& parsed);
  Result<void> read_source(ondemand::object source, Envelope& envelope);
  Result<std::string_view> read_row(ondemand::object object, const ConnectForm* form);
};

Result<ondemand::object> Decoder::Impl::open(std::string_view text) {
  padded.assign(text);
  padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  ondemand::object object;
  auto error = parser.iterate(padded).get(document);
  if (!error) error = document.get_object().get(object);
  if (!error) return object;
  return malformed(fmt::format("expected a JSON object, got {}: {}",
                               text.empty() ? "nothing" : excerpt(text),
                               simdjson::error_message(error)));
}

// Errors where the object that was read to its end is not all there is.
Result<void> Decoder::Impl::close(const Parsed& parsed) {
  if (parsed.wrapped || at_end(document)) return {};
  return malformed(
      fmt::format("expected one JSON object, got more behind it: {}", excerpt(padded)));
}

// A record's key or value, with its schema or without.
Result<Decoder::Impl::Parsed> Decoder::Impl::parse(std::string_view text) {
  Parsed parsed;
  ASSIGN_OR_RETURN(parsed.object, open(text));
  // The converter writes the schema first.
  const size_t first = text.find_first_not_of(" \t\r\n{");
  if (first == std::string_view::npos || !text.substr(first).starts_with("\"schema\"")) {
    return parsed;
  }
  std::string_view all;
  if (auto error = parsed.object->raw_json().get(all)) return malformed("JSON", error);
  RETURN_IF_ERROR(close(parsed));
  if (auto error = parsed.object->reset().error()) return malformed("JSON", error);
  ASSIGN_OR_RETURN(parsed.wrapped, unwrap(*parsed.object, parsed));
  if (!parsed.wrapped) RETURN_IF_ERROR(rewind(parsed));
  return parsed;
}

// False if these are columns of those names.
Result<bool> Decoder::Impl::unwrap(ondemand::object object, Parsed& parsed) {
  ondemand::value schema_value, payload;
  ondemand::object schema, content;
  std::string_view schema_text, type;
  if (object.find_field("schema").get(schema_value) != simdjson::SUCCESS) return false;
  if (schema_value.get_object().get(schema) == simdjson::SUCCESS) {
    if (schema["type"].get_string().get(type) != simdjson::SUCCESS) return false;
    if (auto error = schema.reset().error()) return malformed("schema", error);
    if (auto error = schema.raw_json().get(schema_text)) return malformed("schema", error);
  } else if (scalar_token(schema_value) != "null") {
    return false;
  }
  if (object.find_field("payload").get(payload) != simdjson::SUCCESS) return false;
  if (!schema_text.empty()) {
    ASSIGN_OR_RETURN(parsed.form, schemas.parse(schema_text));
  }
  if (payload.get_object().get(content) == simdjson::SUCCESS) {
    parsed.object = content;
  } else if (const auto token = scalar_token(payload); token == "null") {
    parsed.object.reset();
  } else {
    return malformed(fmt::format("payload: expected an object, got {}", excerpt(token)));
  }
  return true;
}

// To the first field again. An object that is only reset would not give back what its strings took
// of the parser's buffer, which has room for each of them once.
Result<void> Decoder::Impl::rewind(Parsed& parsed) {
  // Broken structure has ended the document for good, and the parser behind it is gone.
  if (!document.is_alive()) return malformed("JSON", simdjson::TAPE_ERROR);
  document.rewind();
  ondemand::object object;
  auto error = document.get_object().get(object);
  if (!error && parsed.wrapped) error = object.find_field("payload").get_object().get(object);
  if (error) return malformed("JSON", error);
  parsed.object = object;
  return {};
}

Result<void> Decoder::Impl::read_record_key(std::optional<std::string_view> text) {
  if (!text) return malformed("the record has no key: the key's columns are expected in it");
  constexpr std::string_view kWhere = "the record's key";
  const auto parsed = parse(*text);
  if (!parsed) return fail(parsed.error(), kWhere);
  RETURN_IF_ERROR(read_key(*parsed, kWhere, Others::kRefused));
  if (auto closed = close(*parsed); !closed) return fail(closed.error(), kWhere);
  return {};
}

Result<void> Decoder::Impl::read_key(const Parsed& parsed, std::string_view where, Others others) {
  if (!parsed.object) return malformed(fmt::format("{} is null", where));
  fragments.resize(columns.size());
  for (auto& fragment : fragments) fragment.clear();
  if (auto read = read_key_columns(parsed, others); !read) {
    return fail(read.error(), where);
  }
  return finish_key(where);
}

Result<void> Decoder::Impl::read_key_columns(const Parsed& parsed, Others others) {
  static const ConnectForm kAsIs;
  size_t hint = 0;
  for (auto field : ondemand::object(*parsed.object)) {
    std::string_view name;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(name)) return malformed("a column's name", error);
    if (auto error = field.value().get(value)) return malformed(column_called(name), error);
    const auto column = std::ranges::find(columns, name);
    if (column == columns.end()) {
      if (others == Others::kAllowed) continue;
      return malformed(column_called(name) +
                       " is not in the binding's key, so that two rows could have one key: list it "
                       "there");
    }
    auto& fragment = fragments[static_cast<size_t>(column - columns.begin())];
    fragment.clear();
    const auto* found = parsed.form == nullptr ? nullptr : parsed.form->find(name, hint);
    const auto& form = found == nullptr ? kAsIs : *found;
    if (auto read = append_canonical(form, value, 0, fragment); !read) {
      return fail(read.error(), column_called(name));
    }
  }
  return {};
}

Result<void> Decoder::Impl::finish_key(std::string_view where) {
  key.clear();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (append_key_part(fragments[i], i, columns.size(), key)) continue;
    return malformed(
        fmt::format("{}: column {} of the key: expected a text, a number or a boolean, got {}",
                    where, columns[i], fragments[i].empty() ? "nothing" : excerpt(fragments[i])));
  }
  if (key.empty() || key.size() > kKeyBytesMax) {
    return malformed(fmt::format("{}: the key has {} bytes; a document's id has 1 to {}", where,
                                 key.size(), kKeyBytesMax));
  }
  return {};
}

// The key of a plain row's deletion, as producers write it: JSON, or the bare text of one column.
Result<void> Decoder::Impl::read_raw_key(std::string_view text) {
  if (text.starts_with('{')) return read_record_key(text);
  if (columns.size() != 1) {
    return malformed(
        "the record's key: a deletion of a row whose key has several columns needs them in a JSON "
        "object");
  }
  if (!simdjson::validate_utf8(text.data(), text.size()) || byte_kinds(text).control) {
    return malformed("the record's key: expected JSON or a text, got bytes that are neither");
  }
  fragments.resize(1);
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) {
    std::string object = "{";
    append_json_string(columns.front(), object);
    return read_record_key(object.append(":").append(text).append("}"));
  }
  key = text;
  if (key.empty() || key.size() > kKeyBytesMax) {
    return malformed(fmt::format("the record's key has {} bytes; a document's id has 1 to {}",
                                 key.size(), kKeyBytesMax));
  }
  return {};
}

Result<void> Decoder::Impl::read_source(ondemand::object source, Envelope& envelope) {
  for (auto field : source) {
    ondemand::raw_json_string name;
    ondemand::value value;
    if (auto error = field.key().get(name)) return malformed("source", error);
    if (auto error = field.value().get(value)) return malformed("source", error);
    uint64_t number = 0;
    if (name == "connector") {
      if (auto error = value.get_string().get(envelope.connector)) {
        return malformed("source.connector", error);
      }
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
  return {};
}

Result<Envelope> Decoder::Impl::read_envelope(const Parsed& parsed) {
  Envelope envelope;
  for (auto field : ondemand::object(*parsed.object)) {
    ondemand::raw_json_string name;
    ondemand::value value;
    ondemand::object object;
    if (auto error = field.key().get(name)) return malformed("the change event", error);
    if (auto error = field.value().get(value)) return malformed("the change event", error);
    if (name == "op") {
      if (auto error = value.get_string().get(envelope.op)) return malformed("op", error);
    } else if (name == "after") {
      envelope.row.reset();
      if (scalar_token(value) == "null") continue;
      if (auto error = value.get_object().get(object)) return malformed("after", error);
      size_t hint = 0;
      const auto* form = parsed.form == nullptr ? nullptr : parsed.form->find("after", hint);
      auto made = read_row(object, form);
      if (!made) return fail(made.error(), "after");
      envelope.row = *made;
    } else if (name == "source") {
      if (auto error = value.get_object().get(object)) return malformed("source", error);
      RETURN_IF_ERROR(read_source(object, envelope));
    }
  }
  return envelope;
}

// The row as canonical JSON on one line. Without a schema it is what stands there.
Result<std::string_view> Decoder::Impl::read_row(ondemand::object object, const ConnectForm* form) {
  row.clear();
  std::string_view text;
  if (auto error = object.raw_json().get(text)) return malformed("the row", error);
  if (auto error = object.reset().error()) return malformed("the row", error);
  text = trimmed(text);
  if (form != nullptr) {
    RETURN_IF_ERROR(refuse_unavailable(text));
    RETURN_IF_ERROR(append_canonical_fields(*form, object, 0, row));
    return row;
  }
  const auto kinds = byte_kinds(text);
  if (auto error = check_object(object, kinds, 0)) return malformed("the row", error);
  if (!kinds.control) return text;
  row.resize(text.size());
  size_t size = 0;
  if (auto failed = simdjson::minify(text.data(), text.size(), row.data(), size)) {
    return malformed("the row", failed);
  }
  row.resize(size);
  return row;
}

Result<std::optional<SourceRow>> Decoder::Impl::decode_row(
    std::optional<std::string_view> record_key, std::optional<std::string_view> value,
    SourceRow made) {
  if (value) {
    ASSIGN_OR_RETURN(auto parsed, parse(*value));
    if (parsed.object) {
      ASSIGN_OR_RETURN(made.row, read_row(*parsed.object, parsed.form));
      RETURN_IF_ERROR(close(parsed));
      RETURN_IF_ERROR(rewind(parsed));
      RETURN_IF_ERROR(read_key(parsed, "the row", Others::kAllowed));
      if (parsed.form == nullptr) RETURN_IF_ERROR(refuse_unavailable(*made.row));
      made.key = key;
      return made;
    }
  }
  if (!record_key) return malformed("the record has neither a key nor a row");
  RETURN_IF_ERROR(read_raw_key(*record_key));
  made.key = key;
  return made;
}

Result<std::optional<SourceRow>> Decoder::Impl::decode_change(
    std::optional<std::string_view> record_key, std::optional<std::string_view> value,
    SourceRow made) {
  RETURN_IF_ERROR(read_record_key(record_key));
  made.key = key;
  if (!value) return made;
  ASSIGN_OR_RETURN(const auto parsed, parse(*value));
  if (!parsed.object) return made;
  ASSIGN_OR_RETURN(const auto envelope, read_envelope(parsed));
  RETURN_IF_ERROR(close(parsed));
  if (envelope.connector == "postgresql" && envelope.epoch) {
    if (!envelope.lsn) return malformed("source: expected an lsn beside the epoch");
    made.position = {*envelope.epoch, *envelope.lsn};
  }
  if (envelope.changed_at_us != 0) made.changed_at_us = envelope.changed_at_us;
  if (envelope.op == "t" || envelope.op == "m") return std::nullopt;
  if (envelope.op == "d") return made;
  if (envelope.op != "c" && envelope.op != "u" && envelope.op != "r") {
    return malformed(fmt::format(
        "expected a change event with an op of c, u, r, d, t or m, got \"{}\"; for plain rows set "
        "format: Json",
        excerpt(envelope.op)));
  }
  if (!envelope.row) {
    return malformed(fmt::format("after: the change event of op \"{}\" has no row", envelope.op));
  }
  made.row = envelope.row;
  // Our own capture completes its rows.
  if (parsed.form == nullptr && !envelope.epoch) RETURN_IF_ERROR(refuse_unavailable(*made.row));
  return made;
}

Decoder::Decoder(const model::SourceBinding& binding) : impl_(std::make_unique<Impl>()) {
  impl_->binding = binding.metadata.name;
  impl_->columns = binding.spec.key;
  impl_->format = model::row_format(binding);
  impl_->captured = std::holds_alternative<model::PostgresSource>(binding.spec.source);
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

Result<std::optional<SourceRow>> Decoder::decode(std::optional<std::string_view> key,
                                                 std::optional<std::string_view> value,
                                                 Offset offset, int64_t timestamp_ms) {
  // The deletion before it said the same, with its position.
  if (!value && impl_->captured) return std::nullopt;
  const SourceRow made{
      .position = {0, static_cast<uint64_t>(offset.get())},
      .changed_at_us = timestamp_ms > 0 ? static_cast<uint64_t>(timestamp_ms) * 1000 : 0};
  const bool plain = impl_->format == model::RecordFormat::kJson;
  auto decoded =
      plain ? impl_->decode_row(key, value, made) : impl_->decode_change(key, value, made);
  if (decoded) return decoded;
  Error error = decoded.error();
  // It may quote what was read, which may be anything.
  if (!simdjson::validate_utf8(error.message)) {
    std::ranges::replace_if(
        error.message, [](char c) { return static_cast<signed char>(c) < 0; }, '?');
  }
  return fail(error, "binding " + impl_->binding);
}

}  // namespace searchsync::worker
