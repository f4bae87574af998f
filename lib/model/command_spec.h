#pragma once

#include <string>
#include <vector>

namespace searchsync::model {

// What an argument of a command is, in JSON.
enum class ArgumentType { kString, kInteger, kNumber, kBoolean, kJson };

struct ArgumentSpec {
  std::string name;  // of the function's parameter
  ArgumentType type = ArgumentType::kString;
  bool list = false;      // a JSON array of these, for a parameter that is an array
  bool optional = false;  // the parameter has a default
  friend bool operator==(const ArgumentSpec&, const ArgumentSpec&) = default;
};

enum class CommandResult { kNothing, kOne, kMany };

// A function of PostgreSQL that may be called.
struct CommandSpec {
  std::string name;      // of the path
  std::string function;  // schema.function
  std::string description;
  std::vector<ArgumentSpec> arguments;
  CommandResult returns = CommandResult::kOne;
  friend bool operator==(const CommandSpec&, const CommandSpec&) = default;
};

}  // namespace searchsync::model
