#include "ingest/core/event_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "ingest/core/column_value.h"
#include "ingest/core/event_ids.h"
#include "ingest/core/excerpt.h"
#include "ingest/core/row_writer.h"
#include "lib/base/check.h"
#include "worker/core/json_check.h"

namespace searchsync::ingest {
namespace {

namespace ondemand = simdjson::ondemand;
using model::ColumnType;
using ondemand::json_type;
using simdjson::error_code;

// What a value is, for messages.
std::string_view name_of(json_type type) {
  switch (type) {
    case json_type::array:
      return "an array";
    case json_type::object:
      return "an object";
    case json_type::number:
      return "a number";
    case json_type::string:
      return "a string";
    case json_type::boolean:
      return "a boolean";
    case json_type::null:
      return "null";
  }
  return "something else";
}

std::string_view expected_of(ColumnType type) {
  switch (type) {
    case ColumnType::kString:
      return "a string";
    case ColumnType::kInteger:
      return "a whole number";
    case ColumnType::kNumber:
      return "a number";
    case ColumnType::kBoolean:
      return "true or false";
    case ColumnType::kTimestamp:
      return "a time, such as \"2026-01-31T12:00:00Z\"";
    case ColumnType::kJson:
      return "any value";
  }
  return "";
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

}  // namespace

struct EventReader::Buffers {
  ondemand::parser parser;
  std::string padded;
  EventValues event;
  EventValues path;  // what the path says
};

namespace {

// One request.
class Reading {
 public:
  Reading(ondemand::parser& parser, EventValues& event, EventValues& path,
          const EventSchema& schema, const EventRequest& request)
      : parser_(parser),
        event_(event),
        path_(path),
        schema_(schema),
        request_(request),
        now_(format_micro_time(request.now)),
        ids_(request.now, request.seed, request.other_seed) {}

  // padded: the body, with the parser's padding behind it.
  std::expected<Events, BodyProblem> read(const std::string& padded) {
    if (!read_path()) return std::move(events_);
    begin_ = padded.data();
    const auto problem = request_.form == BodyForm::kJson ? read_json(padded) : read_lines(padded);
    if (problem) return std::unexpected(*problem);
    return std::move(events_);
  }

 private:
  using Problem = std::optional<BodyProblem>;

  bool read_path() {
    path_.reset(schema_.columns.size());
    for (const auto& [name, text] : request_.path) {
      size_t hint = 0;
      const auto place = schema_.find(name, hint);
      CHECK(place, "no column {}", name);
      std::string& kept = path_.kept[*place];
      auto reason = read_path_value(schema_.columns[*place], text, kept);
      if (reason.empty()) {
        path_.values[*place] = kept;
      } else {
        fault(name, std::move(reason));
      }
    }
    return events_.faults.empty();
  }

  Problem read_json(const std::string& padded) {
    if (is_blank(request_.body)) {
      begin_event();
      end_event();
      return std::nullopt;
    }
    ondemand::document document;
    const std::string_view text(padded.data(), request_.body.size());
    if (auto error = parser_.iterate(text, padded.size()).get(document)) return malformed(error);
    json_type type{};
    if (auto error = document.type().get(type)) return malformed(error, document);
    if (type == json_type::object) {
      ondemand::object object;
      if (auto error = document.get_object().get(object)) return malformed(error, document);
      begin_event();
      if (auto error = read_event(object)) return malformed(error, document);
    } else if (type == json_type::array) {
      if (auto problem = read_array(document)) return problem;
    } else {
      return BodyProblem{BodyFault::kMalformed,
                         fmt::format("expected an event, which is an object, or an array of them, "
                                     "found {}",
                                     name_of(type))};
    }
    if (worker::at_end(document) || skipped()) return std::nullopt;
    return BodyProblem{BodyFault::kMalformed, "there is more behind the JSON value"};
  }

  Problem read_array(ondemand::document& document) {
    ondemand::array array;
    if (auto error = document.get_array().get(array)) return malformed(error, document);
    for (auto element : array) {
      ondemand::value value;
      json_type type{};
      if (auto error = element.get(value)) return malformed(error, document);
      if (auto error = value.type().get(type)) return malformed(error, document);
      if (auto problem = count_event()) return problem;
      begin_event();
      if (type == json_type::object) {
        ondemand::object object;
        if (auto error = value.get_object().get(object)) return malformed(error, document);
        if (auto error = read_event(object)) return malformed(error, document);
      } else {
        if (auto error = pass(value, type)) return malformed(error, document);
        fault("", fmt::format("expected an object, found {}", name_of(type)));
      }
      if (skipped()) return std::nullopt;
      ++place_;
    }
    return std::nullopt;
  }

  // Each line is an event of its own: one that is no JSON says nothing about the others.
  Problem read_lines(const std::string& padded) {
    const size_t end = request_.body.size();
    for (size_t begin = 0; begin < end;) {
      const size_t line_end = std::min(request_.body.find('\n', begin), end);
      const std::string_view line(padded.data() + begin, line_end - begin);
      const size_t capacity = padded.size() - begin;
      begin = line_end + 1;
      if (is_blank(line)) continue;
      if (auto problem = count_event()) return problem;
      begin_event();
      if (auto reason = read_line(line, capacity); !reason.empty()) fault("", std::move(reason));
      if (skipped()) return std::nullopt;
      ++place_;
    }
    return std::nullopt;
  }

  std::string read_line(std::string_view line, size_t capacity) {
    const auto no_json = [](error_code error) {
      return fmt::format("is no JSON: {}", simdjson::error_message(error));
    };
    ondemand::document document;
    if (auto error = parser_.iterate(line, capacity).get(document)) return no_json(error);
    json_type type{};
    if (auto error = document.type().get(type)) return no_json(error);
    if (type != json_type::object) {
      return fmt::format("expected an object, found {}", name_of(type));
    }
    ondemand::object object;
    if (auto error = document.get_object().get(object)) return no_json(error);
    Batch& batch = events_.batch;
    const size_t records = batch.records.size();
    const size_t bytes = batch.bytes.size();
    if (auto error = read_event(object)) return no_json(error);
    if (worker::at_end(document)) return "";
    batch.records.resize(records);
    batch.bytes.resize(bytes);
    return "there is more behind the JSON object";
  }

  Problem count_event() {
    const auto max = static_cast<size_t>(schema_.limits.events_max);
    if (events_.batch.bytes.size() > kBatchBytesMax) {
      return BodyProblem{BodyFault::kTooManyEvents,
                         fmt::format("the events have more than {} bytes as they would be kept: "
                                     "send them in several requests",
                                     kBatchBytesMax)};
    }
    if (place_ < max) return std::nullopt;
    return BodyProblem{
        BodyFault::kTooManyEvents,
        fmt::format("there are more than {} events: send them in several requests", max)};
  }

  // With kReject nothing more can come of it.
  bool skipped() const { return request_.on_error == OnError::kReject && events_.faults.full(); }

  void begin_event() {
    event_.reset(schema_.columns.size());
    event_.values = path_.values;
    seen_.assign(schema_.columns.size(), Seen::kNot);
    sound_ = true;
  }

  // Errors: it is no JSON.
  error_code read_event(ondemand::object object) {
    size_t hint = 0;
    for (auto field : object) {
      std::string_view name;
      ondemand::value value;
      json_type type{};
      if (auto error = field.unescaped_key().get(name)) return error;
      if (auto error = field.value().get(value)) return error;
      if (auto error = value.type().get(type)) return error;
      const auto column = schema_.find(name, hint);
      if (column && !path_.values[*column] && seen_[*column] == Seen::kNot) {
        seen_[*column] = type == json_type::null ? Seen::kNull : Seen::kValue;
        if (auto error = read_value(*column, value, type)) return error;
        continue;
      }
      if (auto error = pass(value, type)) return error;
      if (!column) {
        unknown(name);
      } else if (path_.values[*column]) {
        fault(name, "comes from the path: leave it out");
      } else {
        fault(name, "is there twice");
      }
    }
    end_event();
    return simdjson::SUCCESS;
  }

  // Reads past a value that is not used; a string that is left unread the parser may take for a
  // name.
  static error_code pass(ondemand::value value, json_type type) {
    if (type != json_type::string) return simdjson::SUCCESS;
    ondemand::raw_json_string unused;
    return value.get_raw_json_string().get(unused);
  }

  error_code read_value(size_t place, ondemand::value value, json_type type) {
    const Column& column = schema_.columns[place];
    if (type == json_type::null) {
      return worker::scalar_token(value) == "null" ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    }
    switch (column.type) {
      case ColumnType::kString:
      case ColumnType::kTimestamp:
        if (type == json_type::string) return read_text(place, value);
        break;
      case ColumnType::kInteger:
      case ColumnType::kNumber:
        if (type == json_type::number) return read_number(place, value);
        break;
      case ColumnType::kBoolean:
        if (type == json_type::boolean) return read_boolean(place, value);
        break;
      case ColumnType::kJson:
        return read_any(place, value);
    }
    if (auto error = pass(value, type)) return error;
    fault(column.name,
          fmt::format("expected {}, found {}", expected_of(column.type), name_of(type)));
    return simdjson::SUCCESS;
  }

  // The value is there, whether or not it fits.
  error_code set(size_t place, std::string_view value, std::string reason) {
    event_.values[place] = value;
    if (!reason.empty()) fault(schema_.columns[place].name, std::move(reason));
    return simdjson::SUCCESS;
  }

  error_code read_text(size_t place, ondemand::value value) {
    const Column& column = schema_.columns[place];
    std::string_view text;
    if (auto error = value.get_string().get(text)) return error;
    if (column.type == ColumnType::kString) return set(place, text, check_text(column, text));
    auto reason = read_time(text, event_.kept[place]);
    return set(place, event_.kept[place], std::move(reason));
  }

  error_code read_number(size_t place, ondemand::value value) {
    const auto token = worker::scalar_token(value);
    if (!worker::is_json_number(token)) return simdjson::NUMBER_ERROR;
    return set(place, token, check_number(schema_.columns[place], token));
  }

  error_code read_boolean(size_t place, ondemand::value value) {
    const auto token = worker::scalar_token(value);
    if (token != "true" && token != "false") return simdjson::T_ATOM_ERROR;
    return set(place, token, "");
  }

  error_code read_any(size_t place, ondemand::value value) {
    std::string& kept = event_.kept[place];
    kept.clear();
    const auto error = worker::append_value(value, 0, kept);
    if (error == simdjson::DEPTH_ERROR) {
      return set(place, "null", fmt::format("is nested more than {} deep", worker::kJsonDepthMax));
    }
    if (error) return error;
    return set(place, kept, "");
  }

  void end_event() {
    for (size_t i = 0; i < schema_.columns.size(); ++i) {
      const bool there = event_.values[i] || seen_[i] == Seen::kValue;
      if (schema_.columns[i].required && !there) fault(schema_.columns[i].name, "is required");
    }
    if (!sound_) return;
    if (request_.on_error == OnError::kReject && !events_.faults.empty()) return;
    const auto problem = append_row(schema_, event_, place_, now_, ids_, events_.batch);
    if (problem) fault(problem->field, problem->reason);
  }

  void unknown(std::string_view name) {
    // Which one may be meant takes a while to find out, and is found out for so many only.
    fault(name, events_.faults.full()
                    ? ""
                    : "is no field of these events" + schema_.hint_for(excerpt(name)));
  }

  void fault(std::string_view field, std::string reason) {
    sound_ = false;
    events_.faults.add(place_, field, std::move(reason));
  }

  static BodyProblem malformed(error_code error) {
    return {BodyFault::kMalformed,
            fmt::format("the body is no JSON: {}", simdjson::error_message(error))};
  }

  // With the place, where the parser knows it.
  BodyProblem malformed(error_code error, ondemand::document& document) const {
    auto problem = malformed(error);
    const char* at = nullptr;
    if (document.current_location().get(at) == simdjson::SUCCESS && at >= begin_) {
      problem.message += fmt::format(" (near byte {})", at - begin_);
    }
    return problem;
  }

  ondemand::parser& parser_;
  EventValues& event_;
  EventValues& path_;
  const EventSchema& schema_;
  const EventRequest& request_;
  const std::string now_;
  EventIds ids_;
  const char* begin_ = nullptr;
  Events events_;
  enum class Seen : uint8_t { kNot, kNull, kValue };
  std::vector<Seen> seen_;  // in the event's own fields, by column
  size_t place_ = 0;
  bool sound_ = true;  // no fault of this event so far
};

}  // namespace

EventReader::EventReader() : buffers_(std::make_unique<Buffers>()) {}
EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;

std::expected<Events, BodyProblem> EventReader::read(const EventSchema& schema,
                                                     const EventRequest& request) {
  std::string& padded = buffers_->padded;
  padded.assign(request.body);
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  return Reading(buffers_->parser, buffers_->event, buffers_->path, schema, request).read(padded);
}

}  // namespace searchsync::ingest
