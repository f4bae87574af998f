#include "operator/control/notes_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/model/resource_schema.h"

namespace searchsync::control {
namespace {

using nlohmann::json;
using plan::GateNote;
using plan::GenerationNote;
using plan::IndexNotes;
using plan::IndexSettings;
using plan::LeadNote;
using plan::Offsets;
using plan::TimePoint;

// What is not there is null: those who write a status may leave out what is.
const json& member(const json& object, const char* name) {
  static const json kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

json write_offsets(const Offsets& offsets) {
  json list = json::array();
  for (const auto offset : offsets) list.push_back(offset.get());
  return list;
}

Offsets read_offsets(const json& list) {
  Offsets offsets;
  for (const auto& offset : list) offsets.push_back(Offset(offset.get<int64_t>()));
  return offsets;
}

json write_time(const std::optional<TimePoint>& time) {
  return time ? json(time->time_since_epoch().count()) : json();
}

std::optional<TimePoint> read_time(const json& value) {
  if (value.is_null()) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(value.get<int64_t>()));
}

json write_lead(const LeadNote& note) {
  json draining = json::array();
  for (const auto generation : note.draining) draining.push_back(generation.get());
  return {{"generation", note.generation.get()},
          {"offsets", write_offsets(note.offsets)},
          {"draining", draining},
          {"sentAt", write_time(note.sent_at)}};
}

LeadNote read_lead(const json& value) {
  LeadNote note;
  note.generation = Generation(value.at("generation").get<int32_t>());
  note.offsets = read_offsets(member(value, "offsets"));
  for (const auto& generation : member(value, "draining")) {
    note.draining.insert(Generation(generation.get<int32_t>()));
  }
  if (value.contains("sentAt")) note.sent_at = read_time(value.at("sentAt")).value_or(TimePoint{});
  return note;
}

json write_settings(const IndexSettings& settings) {
  return {{"replicas", settings.replicas},
          {"refreshInterval", settings.refresh_interval.count()},
          {"gcDeletes", settings.gc_deletes.count()}};
}

IndexSettings read_settings(const json& value) {
  using std::chrono::milliseconds;
  return {.replicas = value.at("replicas").get<int32_t>(),
          .refresh_interval = milliseconds(value.at("refreshInterval").get<int64_t>()),
          .gc_deletes = milliseconds(value.at("gcDeletes").get<int64_t>())};
}

json write_name(const std::optional<IndexName>& name) {
  return name ? json(name->get()) : json();
}

std::optional<IndexName> read_name(const json& value) {
  if (value.is_null()) return std::nullopt;
  return IndexName(value.get<std::string>());
}

json write_generation(const GenerationNote& note) {
  json gate;
  if (note.gate) {
    json sources = json::object();
    for (const auto& [topic, offsets] : note.gate->sources) sources[topic] = write_offsets(offsets);
    json tables = json::object();
    for (const auto& [table, offsets] : note.gate->tables) tables[table] = write_offsets(offsets);
    gate = {{"round", note.gate->round},
            {"tables", tables},
            {"sources", sources},
            {"log", write_offsets(note.gate->log)},
            {"begin", write_offsets(note.gate->begin)},
            {"refused", note.gate->refused}};
  }
  return {{"generation", note.generation.get()},
          {"documentLog", note.document_log},
          {"gate", gate},
          {"caughtUpSince", write_time(note.caught_up_since)},
          {"complete", note.complete},
          {"served", note.served},
          {"retiredAt", write_time(note.retired_at)},
          {"settings", note.settings ? write_settings(*note.settings) : json()},
          {"content", note.content}};
}

GenerationNote read_generation(const json& value) {
  GenerationNote note;
  note.generation = Generation(value.at("generation").get<int32_t>());
  note.document_log = value.value("documentLog", "");
  if (const auto& gate = member(value, "gate"); !gate.is_null()) {
    note.gate = GateNote{.round = gate.at("round").get<int>(),
                         .tables = {},
                         .sources = {},
                         .log = read_offsets(member(gate, "log")),
                         .begin = read_offsets(member(gate, "begin")),
                         .refused = gate.value("refused", int64_t{0})};
    for (const auto& [table, offsets] : member(gate, "tables").items()) {
      note.gate->tables[table] = read_offsets(offsets);
    }
    for (const auto& [topic, offsets] : member(gate, "sources").items()) {
      note.gate->sources[topic] = read_offsets(offsets);
    }
  }
  note.caught_up_since = read_time(member(value, "caughtUpSince"));
  note.complete = member(value, "complete") == true;
  note.served = member(value, "served") == true;
  note.retired_at = read_time(member(value, "retiredAt"));
  const auto& settings = member(value, "settings");
  if (!settings.is_null()) note.settings = read_settings(settings);
  note.content = value.value("content", "");
  return note;
}

json write_index(const IndexNotes& notes) {
  json value = {{"leads", json::object()},
                {"generationMax", json::object()},
                {"generations", json::object()},
                {"serving", write_name(notes.serving)},
                {"movingTo", write_name(notes.moving_to)}};
  if (notes.declared) value["declared"] = json::parse(model::to_json(*notes.declared));
  for (const auto& [log, lead] : notes.leads) value["leads"][log] = write_lead(lead);
  for (const auto& [log, highest] : notes.generation_max) {
    value["generationMax"][log] = highest.get();
  }
  for (const auto& [name, note] : notes.generations) {
    value["generations"][name.get()] = write_generation(note);
  }
  for (const auto& [name, note] : notes.scaling) {
    value["scaling"][name.get()] = {{"fewerSince", write_time(note.fewer_since)},
                                    {"fewerMost", note.fewer_most}};
  }
  return value;
}

Result<IndexNotes> read_index(const json& value) {
  if (!value.is_object()) return fail(ErrorCode::kMalformed, "notes that are not an object");
  IndexNotes notes;
  if (const auto& declared = member(value, "declared"); !declared.is_null()) {
    ASSIGN_OR_RETURN(notes.declared, model::parse_search_index(declared.dump()));
  }
  for (const auto& [log, lead] : member(value, "leads").items()) notes.leads[log] = read_lead(lead);
  for (const auto& [log, highest] : member(value, "generationMax").items()) {
    notes.generation_max[log] = Generation(highest.get<int32_t>());
  }
  for (const auto& [name, note] : member(value, "generations").items()) {
    notes.generations[IndexName(name)] = read_generation(note);
  }
  notes.serving = read_name(member(value, "serving"));
  notes.moving_to = read_name(member(value, "movingTo"));
  for (const auto& [name, note] : member(value, "scaling").items()) {
    notes.scaling[IndexName(name)] = {.fewer_since = read_time(member(note, "fewerSince")),
                                      .fewer_most = note.at("fewerMost").get<int32_t>()};
  }
  return notes;
}

}  // namespace

std::string notes_to_json(const AllNotes& notes) {
  json all = json::object();
  for (const auto& [key, one] : notes) all[key] = write_index(one);
  return all.dump(1) + "\n";
}

std::string notes_to_json(const IndexNotes& notes) {
  return write_index(notes).dump();
}

Result<IndexNotes> index_notes_from_json(std::string_view text) {
  try {
    return read_index(json::parse(text));
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

Result<AllNotes> notes_from_json(std::string_view text) {
  try {
    AllNotes notes;
    const json all = json::parse(text);
    for (const auto& [key, value] : all.items()) {
      ASSIGN_OR_RETURN(notes[key], read_index(value));
    }
    return notes;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

NotesFile::NotesFile(std::filesystem::path path) : path_(std::move(path)) {
  const auto text = read_file(path_);
  if (!text) return;
  auto notes = notes_from_json(*text);
  if (notes) {
    notes_ = std::move(*notes);
  } else {
    log::warning("{}: {}; going on without notes", path_.string(), notes.error().message);
  }
}

plan::IndexNotes NotesFile::get(const plan::ObjectKey& index) const {
  const auto found = notes_.find(index);
  return found == notes_.end() ? plan::IndexNotes{} : found->second;
}

Result<void> NotesFile::update(const plan::ObjectKey& index, plan::IndexNotes notes) {
  notes_[index] = std::move(notes);
  return write();
}

Result<void> NotesFile::forget(const plan::ObjectKey& index) {
  notes_.erase(index);
  return write();
}

Result<void> NotesFile::write() const {
  return write_file(path_, notes_to_json(notes_));
}

Result<void> write_file(const std::filesystem::path& path, std::string_view text) {
  const auto failed = [&](const std::filesystem::path& which) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: cannot be written: {}", which.string(), std::strerror(errno)));
  };
  auto beside = path;
  beside += ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed(beside);
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      auto error = failed(beside);
      ::close(file);
      return error;
    }
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  if (!synced || ::rename(beside.c_str(), path.c_str()) != 0) return failed(path);
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, path.string() + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace searchsync::control
