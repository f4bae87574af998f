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
using plan::LeadNote;
using plan::Offsets;
using plan::TimePoint;

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
          {"draining", draining}};
}

LeadNote read_lead(const json& value) {
  LeadNote note;
  note.generation = Generation(value.at("generation").get<int32_t>());
  note.offsets = read_offsets(value.at("offsets"));
  for (const auto& generation : value.at("draining")) {
    note.draining.insert(Generation(generation.get<int32_t>()));
  }
  return note;
}

json write_generation(const GenerationNote& note) {
  json gate;
  if (note.gate) {
    json sources = json::object();
    for (const auto& [topic, offsets] : note.gate->sources) sources[topic] = write_offsets(offsets);
    gate = {{"round", note.gate->round},
            {"sources", sources},
            {"log", write_offsets(note.gate->log)},
            {"begin", write_offsets(note.gate->begin)}};
  }
  return {{"generation", note.generation.get()},
          {"gate", gate},
          {"caughtUpSince", write_time(note.caught_up_since)},
          {"complete", note.complete},
          {"served", note.served},
          {"retiredAt", write_time(note.retired_at)}};
}

GenerationNote read_generation(const json& value) {
  GenerationNote note;
  note.generation = Generation(value.at("generation").get<int32_t>());
  if (const auto& gate = value.at("gate"); !gate.is_null()) {
    note.gate = GateNote{.round = gate.at("round").get<int>(),
                         .sources = {},
                         .log = read_offsets(gate.at("log")),
                         .begin = read_offsets(gate.at("begin"))};
    for (const auto& [topic, offsets] : gate.at("sources").items()) {
      note.gate->sources[topic] = read_offsets(offsets);
    }
  }
  note.caught_up_since = read_time(value.at("caughtUpSince"));
  note.complete = value.at("complete").get<bool>();
  note.served = value.at("served").get<bool>();
  note.retired_at = read_time(value.at("retiredAt"));
  return note;
}

json write_index(const IndexNotes& notes) {
  json value = {{"leads", json::object()},
                {"generationMax", json::object()},
                {"generations", json::object()}};
  if (notes.declared) value["declared"] = json::parse(model::to_json(*notes.declared));
  for (const auto& [log, lead] : notes.leads) value["leads"][log] = write_lead(lead);
  for (const auto& [log, highest] : notes.generation_max) {
    value["generationMax"][log] = highest.get();
  }
  for (const auto& [name, note] : notes.generations) {
    value["generations"][name.get()] = write_generation(note);
  }
  return value;
}

Result<IndexNotes> read_index(const json& value) {
  IndexNotes notes;
  if (value.contains("declared")) {
    ASSIGN_OR_RETURN(notes.declared, model::parse_search_index(value.at("declared").dump()));
  }
  for (const auto& [log, lead] : value.at("leads").items()) notes.leads[log] = read_lead(lead);
  for (const auto& [log, highest] : value.at("generationMax").items()) {
    notes.generation_max[log] = Generation(highest.get<int32_t>());
  }
  for (const auto& [name, note] : value.at("generations").items()) {
    notes.generations[IndexName(name)] = read_generation(note);
  }
  return notes;
}

}  // namespace

std::string notes_to_json(const AllNotes& notes) {
  json all = json::object();
  for (const auto& [key, one] : notes) all[key] = write_index(one);
  return all.dump(1) + "\n";
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

Result<void> NotesFile::update(const plan::ObjectKey& key, plan::IndexNotes notes) {
  notes_[key] = std::move(notes);
  return write();
}

Result<void> NotesFile::forget(const plan::ObjectKey& key) {
  notes_.erase(key);
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
