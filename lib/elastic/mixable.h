#pragma once

// What indices under one alias may differ in, so that a query of all of them finds what it would in
// one, and each takes the documents of all. Pure. See docs/decisions/0009-time-partitions.md.

#include <string>
#include <string_view>
#include <vector>

namespace searchsync::elastic {

// Why an index of mappings `now` cannot be read and written as one with those of `before`: a
// phrase, "field a.b is declared otherwise". Empty: it can. Both as they are declared, JSON
// objects.
//
// Fields may be gone. New ones may be there, in objects that take no other fields than those
// declared: in any other, documents may have brought that field already.
std::string mappings_conflict(std::string_view before, std::string_view now);

// The same of settings; empty texts for none. Only those may differ that decide on how documents
// are kept, and on nothing that a query answers, a document needs, or a field is made with.
std::string settings_conflict(std::string_view before, std::string_view now);

struct NewFields {
  // Of the fields of `declared` those that the index does not have, by path, in order.
  std::vector<std::string> missing;
  // Why they cannot be added to it; empty: as far as can be told, they can.
  std::string conflict;
};

// found: the mappings of an index as the engine has them. Of fields that are there only the type is
// looked at, and those of its multi-fields: engines write the rest in a form of their own, and
// refuse what they cannot change.
NewFields new_fields(std::string_view found, std::string_view declared);

// The body that adds them, and changes nothing else: the declared fields, all of them.
std::string added_fields(std::string_view declared);

}  // namespace searchsync::elastic
