#include "lib/model/reference.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <set>
#include <vector>

#include "lib/model/resource_schema.h"
#include "lib/model/status_schema.h"

namespace searchsync::model {
namespace {

std::string anchor(const std::string& name) {
  std::string out;
  for (const char c : name) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// A table's cell is one line, and its bars are escaped.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string type_text(const Type& type) {
  switch (type.shape) {
    case Shape::kBoolean:
      return "boolean";
    case Shape::kInteger:
      return "integer";
    case Shape::kString:
      return type.values.empty() ? "string"
                                 : fmt::format("[{}](#{})", type.name, anchor(type.name));
    case Shape::kDuration:
      return "duration";
    case Shape::kTime:
      return "time";
    case Shape::kJsonObject:
      return "object";
    case Shape::kConstant:
      return fmt::format("`{}`", type.constant);
    case Shape::kList:
      return "list of " + type_text(*type.item);
    case Shape::kEnum:
    case Shape::kObject:
    case Shape::kUnion:
      return fmt::format("[{}](#{})", type.name, anchor(type.name));
  }
  return "";
}

std::string range_text(const Bounds& bounds, std::string (*format)(int64_t)) {
  const std::string low = bounds.minimum ? format(*bounds.minimum) : "";
  const std::string high = bounds.maximum ? format(*bounds.maximum) : "";
  return low == high ? low : fmt::format("{} to {}", low, high);
}

std::string plain(int64_t value) {
  return std::to_string(value);
}

std::string bounds_text(const Type& type) {
  switch (type.shape) {
    case Shape::kInteger:
      return range_text(type.bounds, plain);
    case Shape::kDuration:
      return range_text(type.bounds, write_duration);
    case Shape::kString: {
      const std::string most = fmt::format("at most {} bytes", *type.bounds.maximum);
      return type.pattern ? fmt::format("{}; {}", type.pattern->means, most) : most;
    }
    case Shape::kList: {
      std::string out = range_text(type.bounds, plain) + " items";
      if (type.unique == Unique::kItems) out += ", none twice";
      if (type.unique == Unique::kKey) out += fmt::format(", no `{}` twice", type.list_key);
      const std::string each = bounds_text(*type.item);
      return each.empty() ? out : fmt::format("{}; each: {}", out, each);
    }
    case Shape::kBoolean:
    case Shape::kTime:
    case Shape::kJsonObject:
    case Shape::kConstant:
    case Shape::kEnum:
    case Shape::kObject:
    case Shape::kUnion:
      return "";
  }
  return "";
}

std::string default_text(const Field& field) {
  if (field.presence == Presence::kRequired) return "required";
  if (!field.default_says.empty()) return field.default_says;
  if (!field.default_value) return "none";
  // An object's defaults are those of its fields.
  if (field.default_value->mapping() != nullptr) return "its defaults";
  const std::string* text = field.default_value->string();
  return fmt::format("`{}`", text != nullptr ? *text : to_json(*field.default_value));
}

class Page {
 public:
  void add_resource(const Type& type) { add(type, "## "); }
  void add_status(const Type& type) {
    reads_ = Reads::kPeople;
    add(type, "## ");
  }

  std::string take() { return std::move(out_); }

 private:
  void add(const Type& type, std::string_view heading) {
    if (!done_.insert(type.name).second) return;
    out_ += fmt::format("{}{}\n\n", heading, type.name);
    if (!type.documentation.empty()) out_ += type.documentation + "\n\n";
    if (!type.values.empty()) {
      add_values(type);
    } else if (type.shape == Shape::kUnion) {
      out_ += "Exactly one of:\n\n";
      add_alternatives(type);
    } else if (reads_ == Reads::kPeople) {
      add_alternatives(type);
    } else {
      add_fields(type);
    }
    for (const Field& field : type.fields) add_type_of(field.type);
  }

  void add_type_of(const Type* type) {
    while (type != nullptr && type->shape == Shape::kList) type = type->item;
    if (type != nullptr && !type->name.empty()) add(*type, "### ");
  }

  void add_values(const Type& type) {
    out_ += "| value | meaning |\n| --- | --- |\n";
    for (const EnumValue& value : type.values) {
      out_ += fmt::format("| `{}` | {} |\n", value.name, cell(value.documentation));
    }
    out_ += '\n';
  }

  void add_alternatives(const Type& type) {
    out_ += "| field | type | meaning |\n| --- | --- | --- |\n";
    for (const Field& field : type.fields) {
      out_ += fmt::format("| `{}` | {} | {} |\n", field.name, type_text(*field.type),
                          cell(field.documentation));
    }
    out_ += '\n';
  }

  void add_fields(const Type& type) {
    std::vector<std::string> ignored;
    std::string rows;
    for (const Field& field : type.fields) {
      if (field.type == nullptr) {
        ignored.push_back(fmt::format("`{}`", field.name));
        continue;
      }
      std::string meaning = field.documentation;
      if (field.mutability == Mutability::kImmutable) meaning += " Cannot be changed.";
      rows += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.name, type_text(*field.type),
                          cell(default_text(field)), cell(bounds_text(*field.type)), cell(meaning));
    }
    if (rows.empty()) {
      out_ += "It has no fields: write `{}`.\n\n";
    } else {
      out_ += "| field | type | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n" +
              rows + "\n";
    }
    if (!ignored.empty()) {
      out_ += fmt::format("Accepted and ignored: {}.\n\n", fmt::join(ignored, ", "));
    }
  }

  // Whoever only reads a field need not know what may be left out of it.
  enum class Reads { kSearchSync, kPeople } reads_ = Reads::kSearchSync;
  std::string out_;
  std::set<std::string> done_;
};

constexpr std::string_view kIntroduction = R"(# Resources

Every field of the two resources that declare an index, and of what the operator says of them in
their `status`. This page is generated from the schema that also reads them
(`lib/model/*_schema.cc`), and so are the definitions for Kubernetes in `crds`; after a change
there, write them anew with `UPDATE_GOLDEN=1 ctest -R model_test`.

- A field that is not listed is an error, never ignored.
- Durations are a whole number and a unit: `500ms`, `30s`, `5m`, `24h`, `7d`.
- Booleans are `true` and `false`. A string that looks like a number or a boolean needs quotes.
- `searchsync run DIR` and `searchsync validate DIR` read the `*.yaml` and `*.yml` files directly in
  the folder, not those in its subfolders. Several resources may share a file, separated by `---`.
- Secrets are named, never written into a resource. `--secrets DIR` holds them as
  `DIR/<secret>/<key>`; an entry that is not there is looked for in the environment variable
  `SEARCHSYNC_SECRET_<SECRET>_<KEY>`, in capitals, with `_` for all but letters and digits.

)";

}  // namespace

std::string render_reference() {
  Page page;
  page.add_resource(*resource_types().search_index.type);
  page.add_resource(*resource_types().source_binding.type);
  page.add_status(*status_types().search_index.type);
  page.add_status(*status_types().source_binding.type);
  std::string out = std::string(kIntroduction) + page.take();
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace searchsync::model
