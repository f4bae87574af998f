#include "lib/model/load.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <tuple>
#include <utility>

#include "lib/model/resource_schema.h"
#include "lib/model/validate.h"
#include "lib/model/yaml.h"

namespace searchsync::model {
namespace {

constexpr size_t kFilesMax = 1000;

const std::string* string_at(const Node& object, std::string_view key) {
  const Node* node = object.find(key);
  return node == nullptr ? nullptr : node->string();
}

// What a document says it is, as far as it does.
struct Heading {
  std::string kind;
  ObjectMeta metadata;
  std::string object;  // empty without a name
};

Heading read_heading(const Node& document) {
  Heading heading;
  if (const std::string* kind = string_at(document, "kind")) heading.kind = *kind;
  if (const Node* metadata = document.find("metadata")) {
    if (const std::string* name = string_at(*metadata, "name")) heading.metadata.name = *name;
    const std::string* name_space = string_at(*metadata, "namespace");
    if (name_space != nullptr) heading.metadata.namespace_ = *name_space;
  }
  if (!heading.kind.empty() && !heading.metadata.name.empty()) {
    heading.object = object_name(heading.kind, heading.metadata);
  }
  return heading;
}

class Loader {
 public:
  void read(const NamedText& text) {
    YamlFile yaml = parse_yaml(text.file, text.text);
    append(std::move(yaml.faults));
    if (!yaml.complete) loaded_.origins.set_incomplete();
    for (const Node& document : yaml.documents) read_document(text.file, document);
  }

  void fault(std::string file, Position position, std::string object, std::string path,
             std::string message) {
    loaded_.origins.set_incomplete();
    loaded_.faults.push_back({.file = std::move(file),
                              .line = position.line,
                              .column = position.column,
                              .object = std::move(object),
                              .path = std::move(path),
                              .message = std::move(message)});
  }

  Loaded finish() {
    const auto order = [](const auto& a, const auto& b) {
      return std::tie(a.metadata.namespace_, a.metadata.name) <
             std::tie(b.metadata.namespace_, b.metadata.name);
    };
    std::sort(loaded_.resources.indices.begin(), loaded_.resources.indices.end(), order);
    std::sort(loaded_.resources.bindings.begin(), loaded_.resources.bindings.end(), order);
    append(validate(loaded_.resources, loaded_.origins));
    append(validate_relations(loaded_.resources, loaded_.origins));
    sort(loaded_.faults);
    return std::move(loaded_);
  }

 private:
  void append(std::vector<Fault> faults) {
    std::move(faults.begin(), faults.end(), std::back_inserter(loaded_.faults));
  }

  void read_document(const std::string& file, const Node& document) {
    if (document.mapping() == nullptr) {
      fault(file, document.position, "", "",
            fmt::format("expected a resource, an object with apiVersion, kind, metadata and spec; "
                        "found {}",
                        describe(document)));
      return;
    }
    const Heading heading = read_heading(document);
    if (heading.kind == kSearchIndexKind) {
      keep(file, document, heading, parse(resource_types().search_index, file, document),
           loaded_.resources.indices);
    } else if (heading.kind == kSourceBindingKind) {
      keep(file, document, heading, parse(resource_types().source_binding, file, document),
           loaded_.resources.bindings);
    } else {
      refuse_kind(file, document, heading);
    }
  }

  void refuse_kind(const std::string& file, const Node& document, const Heading& heading) {
    const std::vector<std::string> kinds{std::string(kSearchIndexKind),
                                         std::string(kSourceBindingKind)};
    const Node* kind = document.find("kind");
    const std::string expected =
        fmt::format("{} or {} of {}", kSearchIndexKind, kSourceBindingKind, kApiVersion);
    if (kind == nullptr) {
      fault(file, document.position, "", "kind", "is required: add it, as " + expected);
      return;
    }
    std::string hint = did_you_mean(heading.kind, kinds);
    if (hint.empty()) hint = "; keep other resources in another folder";
    fault(file, kind->position, heading.object, "kind",
          fmt::format("expected {}, found {}{}", expected, describe(*kind), hint));
  }

  template <class T>
  void keep(const std::string& file, const Node& document, const Heading& heading, Parsed<T> parsed,
            std::vector<T>& resources) {
    for (Fault& one : parsed.faults) one.object = heading.object;
    const bool broken = !parsed.faults.empty();
    append(std::move(parsed.faults));
    if (heading.object.empty()) {
      loaded_.origins.set_incomplete();
      return;
    }
    if (const Origin* first = loaded_.origins.find(heading.object)) {
      const Node* name = document.find("metadata")->find("name");
      fault(file, name->position, heading.object, "metadata.name",
            fmt::format("is there twice, first in {}:{}: keep one of them or rename it",
                        first->file, first->position.line));
      return;
    }
    loaded_.origins.add(heading.object, {.file = file,
                                         .position = document.position,
                                         .positions = std::move(parsed.positions),
                                         .broken = broken});
    if (!broken) resources.push_back(std::move(parsed.value));
  }

  Loaded loaded_;
};

bool is_yaml_name(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return (extension == ".yaml" || extension == ".yml") &&
         !path.filename().string().starts_with('.');
}

// Reads at most one byte more than may be there, so that what is too long is seen to be.
Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(kYamlBytesMax + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    return fail(ErrorCode::kPermission, "cannot be read: check that it exists and may be read");
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

}  // namespace

Loaded load_texts(const std::vector<NamedText>& texts) {
  Loader loader;
  for (const NamedText& text : texts) loader.read(text);
  return loader.finish();
}

Loaded load_directory(const std::filesystem::path& directory) {
  Loader loader;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (std::filesystem::is_regular_file(directory, error)) {
    files.push_back(directory);
  } else {
    std::filesystem::directory_iterator at(directory, error);
    for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
      std::error_code ignored;
      if (is_yaml_name(at->path()) && !at->is_directory(ignored)) files.push_back(at->path());
    }
    if (error) {
      loader.fault(directory.string(), {}, "", "",
                   fmt::format("the folder cannot be read: {}", error.message()));
    }
  }
  std::sort(files.begin(), files.end());
  if (files.size() > kFilesMax) {
    loader.fault(directory.string(), {}, "", "",
                 fmt::format("{} YAML files, at most {} are read: put several objects into a file",
                             files.size(), kFilesMax));
    files.resize(kFilesMax);
  }
  for (const std::filesystem::path& file : files) {
    const Result<std::string> text = read_file(file);
    if (text) {
      loader.read({.file = file.string(), .text = *text});
    } else {
      loader.fault(file.string(), {}, "", "", text.error().message);
    }
  }
  return loader.finish();
}

}  // namespace searchsync::model
