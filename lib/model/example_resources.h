#pragma once

// A folder of resources that is right in every way, for tests to take and to spoil.

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "lib/model/load.h"

namespace searchsync::model {

inline constexpr std::string_view kIndexYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata:
  name: test-runs
spec:
  elasticsearch:
    urls: ["http://es:9200"]
  kafka:
    bootstrapServers: ["kafka:9092"]
  mappings:
    dynamic: strict
    properties:
      testName: {type: keyword}
      bugId: {type: long}
      bug:
        properties:
          status: {type: keyword}
      suite: {type: keyword}
      steps:
        type: nested
        properties:
          title: {type: text}
      related:
        type: nested
        properties:
          why: {type: keyword}
          otherName: {type: keyword}
      raw: {type: object, enabled: false}
)";

inline constexpr std::string_view kRootYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata:
  name: run
spec:
  indexRef: {name: test-runs}
  source: {postgres: {secretRef: {name: run-db}, table: public.runs}}
  key: [id]
  relation: {root: {}}
  fields:
    - {from: test_name, to: testName}
    - {from: details, to: raw.details, type: Json}
)";

inline constexpr std::string_view kLookupYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata:
  name: run-bug
spec:
  indexRef: {name: test-runs}
  source: {postgres: {secretRef: {name: bug-db}, table: public.bugs}}
  key: [id]
  relation:
    lookup:
      of: root
      from: [bug_id]
      onMissing: Null
  fields:
    - {from: id, to: bugId}
    - {from: status, to: bug.status}
  errors: {policy: DeadLetter, maxDeadLetters: 1000}
)";

inline constexpr std::string_view kSecondLookupYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata:
  name: run-suite
spec:
  indexRef: {name: test-runs}
  source: {kafka: {topic: suites, format: Json}}
  key: [id]
  relation:
    lookup:
      of: run-bug
      from: [suite_id]
      onMissing: Exclude
  fields: [{from: name, to: suite}]
)";

inline constexpr std::string_view kChildrenYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata:
  name: run-steps
spec:
  indexRef: {name: test-runs}
  source: {postgres: {secretRef: {name: run-db}, table: public.steps}}
  key: [id]
  relation:
    children:
      from: [run_id]
      into: steps
      orderBy: [{column: position}, {column: at, direction: Descending}]
  fields: [{from: title, to: title}]
)";

inline constexpr std::string_view kLinkYaml = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata:
  name: run-related
spec:
  indexRef: {name: test-runs}
  source: {postgres: {secretRef: {name: run-db}, table: public.related}}
  key: [a, b]
  relation:
    link:
      near: [a]
      far: [b]
      into: related
  fields: [{from: why, to: why}, {from: far.test_name, to: otherName}]
)";

inline std::vector<NamedText> example_texts() {
  return {{"index.yaml", std::string(kIndexYaml)},
          {"root.yaml", std::string(kRootYaml)},
          {"lookup.yaml", std::string(kLookupYaml)},
          {"second.yaml", std::string(kSecondLookupYaml)},
          {"children.yaml", std::string(kChildrenYaml)},
          {"link.yaml", std::string(kLinkYaml)}};
}

// The example with `from`, which must be there once, replaced by `to` in one of its files.
inline std::vector<NamedText> spoiled(std::string_view file, std::string_view from,
                                      std::string_view to) {
  std::vector<NamedText> texts = example_texts();
  for (NamedText& text : texts) {
    if (text.file != file) continue;
    const size_t at = text.text.find(from);
    if (at == std::string::npos) return {{"", fmt::format("the example lacks: {}", from)}};
    text.text.replace(at, from.size(), to);
    return texts;
  }
  return {};
}

}  // namespace searchsync::model
