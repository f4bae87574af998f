#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/model/fault.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// "SearchIndex default/test-runs": how faults and messages name an object.
std::string object_name(std::string_view kind, const ObjectMeta& metadata);
std::string object_name(const SearchIndex& index);
std::string object_name(const SourceBinding& binding);

// Where objects were declared. Empty for those that came from Kubernetes.
struct Origin {
  std::string file;
  Position position;  // of the object
  Positions positions;
  bool broken = false;  // it has faults of its own and is not among the Resources
};

class Origins {
 public:
  // False, and nothing changed, if `object` is there already.
  bool add(const std::string& object, Origin origin);

  const Origin* find(std::string_view object) const;

  // Something could not be read at all: there may be objects that are not known here.
  void set_incomplete() { incomplete_ = true; }

  // Whether an object that is not among the Resources was declared all the same, or may have been:
  // what refers to it is not wrong for that.
  bool may_exist(std::string_view object) const;
  // Whether there is or may be any such object.
  bool hides_objects() const;

  // A fault of `object` at `path`, placed at the innermost part of `path` that was written.
  Fault fault(std::string object, std::string path, std::string message) const;

 private:
  std::map<std::string, Origin, std::less<>> origins_;
  bool incomplete_ = false;
};

}  // namespace searchsync::model
