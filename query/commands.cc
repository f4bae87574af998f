#include "query/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "lib/elastic/json_text.h"
#include "lib/model/json.h"
#include "lib/postgres/quote.h"
#include "query/ask.h"

namespace searchsync::query {
namespace {

using model::ArgumentSpec;
using model::ArgumentType;
using model::Node;

std::string_view expected_of(ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return "a string";
    case ArgumentType::kInteger:
      return "a whole number of 64 bits";
    case ArgumentType::kNumber:
      return "a number";
    case ArgumentType::kBoolean:
      return "true or false";
    case ArgumentType::kJson:
      return "a JSON value";
  }
  return "";
}

// As PostgreSQL reads it; nothing if it does not fit.
std::optional<std::string> text_of(ArgumentType type, const Node& value) {
  if (type == ArgumentType::kJson) return model::to_json(value);
  if (const auto* text = value.string(); text != nullptr && type == ArgumentType::kString) {
    return *text;
  }
  if (const auto* truth = std::get_if<bool>(&value.value);
      truth != nullptr && type == ArgumentType::kBoolean) {
    return *truth ? "true" : "false";
  }
  const bool number = type == ArgumentType::kInteger || type == ArgumentType::kNumber;
  if (const auto* integer = std::get_if<int64_t>(&value.value); integer != nullptr && number) {
    return std::to_string(*integer);
  }
  if (const auto* decimal = std::get_if<Node::Decimal>(&value.value);
      decimal != nullptr && type == ArgumentType::kNumber) {
    return decimal->text;
  }
  return std::nullopt;
}

class ArgumentReader {
 public:
  explicit ArgumentReader(Faults& faults) : faults_(faults) {}

  std::optional<std::string> read(const ArgumentSpec& argument, const Node& value) {
    if (value.is_null()) return std::nullopt;
    if (!argument.list) return scalar(argument.type, argument.name, value);
    const Node::Sequence* items = value.sequence();
    if (items == nullptr) {
      faults_.add(argument.name, "an array");
      return std::nullopt;
    }
    std::string literal = "{";
    for (size_t i = 0; i < items->size(); ++i) {
      if (i > 0) literal += ',';
      append_item(literal, argument, i, (*items)[i]);
    }
    return literal + "}";
  }

 private:
  std::optional<std::string> scalar(ArgumentType type, const std::string& path, const Node& value) {
    auto text = text_of(type, value);
    if (!text) faults_.add(path, std::string(expected_of(type)));
    // PostgreSQL's texts end there.
    if (text && text->find('\0') != std::string::npos) {
      faults_.add(path, "a text without the character U+0000");
      text.reset();
    }
    return text;
  }

  void append_item(std::string& literal, const ArgumentSpec& argument, size_t index,
                   const Node& value) {
    if (value.is_null()) {
      literal += "NULL";
      return;
    }
    const auto text = scalar(argument.type, fmt::format("{}[{}]", argument.name, index), value);
    if (!text) return;
    literal += '"';
    for (const char c : *text) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }

  Faults& faults_;
};

std::string statement(const model::CommandSpec& command, std::string_view arguments) {
  // What it is called by here must not be what a column of it is called.
  constexpr const char* kRows =
      R"(SELECT to_json("its answer") FROM {}({}) AS "its answer" LIMIT {})";
  const size_t dot = command.function.find('.');
  const std::string function =
      postgres::quote_qualified(command.function.substr(0, dot), command.function.substr(dot + 1));
  switch (command.returns) {
    case model::CommandResult::kNothing:
      return fmt::format("SELECT FROM {}({})", function, arguments);
    case model::CommandResult::kOne:
      return fmt::format(kRows, function, arguments, 1);
    case model::CommandResult::kMany:
      return fmt::format(kRows, function, arguments, kCommandRowsMax + 1);
  }
  return "";
}

}  // namespace

std::optional<Call> read_call(const model::CommandSpec& command, std::string_view body,
                              Faults& faults) {
  Names names;
  for (const ArgumentSpec& argument : command.arguments) names.push_back(argument.name);
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) body = "{}";
  auto parsed = model::parse_json(body);
  if (!parsed || parsed->mapping() == nullptr) {
    faults.add("", "a JSON object with an argument in each member");
    return std::nullopt;
  }
  if (names.empty() && !parsed->mapping()->empty()) {
    faults.add("", "an empty object: it takes no arguments");
    return std::nullopt;
  }
  check_members(*parsed, "", names, faults);
  Call call;
  std::string arguments;
  ArgumentReader reader(faults);
  for (const ArgumentSpec& argument : command.arguments) {
    const Node* value = parsed->find(argument.name);
    if (value == nullptr) {
      if (!argument.optional) {
        faults.add(argument.name, "a value: it has no default");
      }
      continue;
    }
    call.values.push_back(reader.read(argument, *value));
    if (!arguments.empty()) arguments += ", ";
    arguments +=
        fmt::format("{} => ${}", postgres::quote_identifier(argument.name), call.values.size());
  }
  if (!faults.empty()) return std::nullopt;
  call.sql = statement(command, arguments);
  call.many = command.returns == model::CommandResult::kMany;
  return call;
}

int status_of(std::string_view sqlstate) {
  if (sqlstate.size() == 5 && sqlstate.starts_with("PT")) {
    int status = 0;
    const auto read = std::from_chars(sqlstate.data() + 2, sqlstate.data() + 5, status);
    if (read.ptr == sqlstate.data() + 5 && status >= 400 && status <= 599) return status;
    return 500;
  }
  // The longest prefix decides: exact states before classes.
  static constexpr std::array<std::pair<std::string_view, int>, 35> kStatus = {{
      {"23503", 409},  // foreign_key_violation
      {"23505", 409},  // unique_violation
      {"25006", 405},  // read_only_sql_transaction
      {"21000", 400},  // cardinality_violation
      {"42883", 404},  // undefined_function
      {"42P01", 404},  // undefined_table
      {"42P17", 500},  // invalid_object_definition
      {"42501", 403},  // insufficient_privilege
      {"53400", 500},  // configuration_limit_exceeded
      {"57014", 504},  // query_canceled
      {"57P01", 503},  // admin_shutdown
      {"P0001", 400},  // raise_exception
      {"08", 503},    {"09", 500}, {"0L", 403}, {"0P", 403}, {"25", 500}, {"28", 403},
      {"2D", 500},    {"38", 500}, {"39", 500}, {"3B", 500}, {"40", 500}, {"53", 503},
      {"54", 500},    {"55", 500}, {"57", 500}, {"58", 500}, {"F0", 500}, {"HV", 500},
      {"P0", 500},    {"XX", 500}, {"22", 400}, {"23", 400}, {"42", 400},
  }};
  for (const auto& [prefix, status] : kStatus) {
    if (sqlstate.starts_with(prefix)) return status;
  }
  return 400;
}

std::string render(const postgres::ServerError& error) {
  std::string body = R"({"error":{"code":"command_failed","message":)";
  elastic::append_quoted(body, error.message);
  const auto member = [&body](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    body += fmt::format(R"(,"{}":)", name);
    elastic::append_quoted(body, value);
  };
  member("sqlstate", error.sqlstate);
  member("details", error.detail);
  member("hint", error.hint);
  return body + "}}";
}

}  // namespace searchsync::query
