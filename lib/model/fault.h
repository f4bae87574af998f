#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/node.h"

namespace searchsync::model {

// One thing wrong with what a person declared.
struct Fault {
  std::string file;     // empty: it did not come from a file
  int line = 0;         // from 1; 0: not known
  int column = 0;       // from 1; 0: not known
  std::string object;   // "SourceBinding default/run-bug"; empty if it has no name yet
  std::string path;     // "spec.relation.lookup.from[0]"; empty: the object as a whole
  std::string message;  // what is wrong, what is expected, what to do
  friend bool operator==(const Fault&, const Fault&) = default;
};

// "bug.yaml:12:7: SourceBinding default/run-bug: spec.key: …", without the parts that are empty.
std::string to_string(const Fault& fault);

// One line a fault.
std::string to_string(const std::vector<Fault>& faults);

// By file, line, column, object, path, message: the order in which people want to read them.
void sort(std::vector<Fault>& faults);

// Where each value of an object stood, by its path.
using Positions = std::map<std::string, Position, std::less<>>;

// ", did you mean `x`?" if one of `known` is close to `written`, else "".
std::string did_you_mean(std::string_view written, const std::vector<std::string>& known);

}  // namespace searchsync::model
