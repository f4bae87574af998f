#include "lib/model/basic_types.h"

namespace searchsync::model {

Basics::Basics(Schema& schema)
    : boolean(boolean_type(schema)),
      object_name(string_type(
          schema, {1, 63},
          Pattern{
              "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
              "a name of lowercase letters, digits and -, with a letter or digit at both ends"})),
      dns_name(
          string_type(schema, {1, 253},
                      Pattern{"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
                              "a name of lowercase letters, digits, - and dots"})),
      column(string_type(schema, {1, 256})),
      topic(string_type(
          schema, {1, 249},
          Pattern{"[a-zA-Z0-9_-][a-zA-Z0-9._-]*", "a name of letters, digits, dots, _ and -"})),
      document_field(
          string_type(schema, {1, 256},
                      Pattern{R"([^.\s\v"\\]+(\.[^.\s\v"\\]+)*)",
                              "names joined by dots, without spaces, quotes or backslashes"})),
      columns(list_type(schema, column, {1, 16})) {
  secret_ref =
      ObjectBuilder<SecretRef>(schema, "SecretRef",
                               "A secret in the namespace, or folder, of the resource. Its "
                               "keys are fixed by what it is used for.")
          .field("name", &SecretRef::name, dns_name, "The secret's name.", required())
          .build();
  secret_key_ref =
      ObjectBuilder<SecretKeyRef>(schema, "SecretKeyRef", "One entry of a secret.")
          .field("name", &SecretKeyRef::name, dns_name, "The secret's name.", required())
          .field("key", &SecretKeyRef::key,
                 string_type(schema, {1, 253},
                             Pattern{"[-_a-zA-Z0-9]([-._a-zA-Z0-9]*)",
                                     "a key of letters, digits, dots, _ and -"}),
                 "The entry's key.", required())
          .build();
}

}  // namespace searchsync::model
