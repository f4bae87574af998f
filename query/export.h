#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/ask.h"
#include "query/faults.h"
#include "query/planner.h"
#include "query/related.h"
#include "query/rules.h"

namespace searchsync::query {

enum class ExportFormat { kNdjson, kCsv };

// All documents of a query, page by page.
struct ExportPlan {
  ExportFormat format = ExportFormat::kNdjson;
  std::optional<int64_t> limit;  // none: all
  std::string query;             // for the engine; with a marker of each of `related`
  std::vector<RelatedQuery> related;
  Planner::Sort sort;
  std::string source;                // what of the documents
  std::vector<std::string> columns;  // of CSV, without the first, which is the id
};

// {"filter", "sort", "fields", "limit", "format": "ndjson"|"csv"}; all may be absent.
// Without meaning when faults were added.
ExportPlan plan_export(const Ask& ask, const Rules& rules, Faults& faults);

// The body of the _search for one page, without "timeout".
// after: the sort values of the last document before it, a JSON array; empty: the first page.
std::string export_page_body(const ExportPlan& plan, std::string_view point_in_time,
                             std::string_view keep_alive, size_t size, std::string_view after);

// Writes documents as lines.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  // What comes before the first document.
  virtual void begin(std::string& out) = 0;
  // id: a JSON string. source: a JSON object; empty: none. False if it cannot be read.
  virtual bool row(std::string_view id, std::string_view source, std::string& out) = 0;
};

// {"id":…,"source":…}, one a line.
class NdjsonWriter final : public RowWriter {
 public:
  void begin(std::string&) override {}
  bool row(std::string_view id, std::string_view source, std::string& out) override;
};

}  // namespace searchsync::query
