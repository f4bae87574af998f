#include "query/run/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "lib/base/log.h"
#include "lib/elastic/admin.h"
#include "query/csv.h"
#include "query/parameters.h"
#include "query/run/problems.h"
#include "query/run/semi_join.h"

namespace searchsync::query {
namespace {

using Clock = Engine::Clock;
using std::chrono::milliseconds;

// How long a point in time outlives its last use: a client that is slow to read a page may take as
// long.
constexpr std::chrono::minutes kKeepAlive{5};
constexpr const char* kKeepAliveText = "5m";
constexpr size_t kPageBytes = 4 << 20;  // what a page is meant to be
constexpr size_t kFirstPage = 200;
constexpr size_t kPageMax = 10'000;  // index.max_result_window
constexpr size_t kGrowth = 4;
// An engine that pushes back is asked again.
constexpr int kTries = 5;
constexpr milliseconds kFirstPause{200};

bool is_passing(EngineFault fault) {
  return fault == EngineFault::kAway || fault == EngineFault::kSlow ||
         fault == EngineFault::kPartial;
}

std::string_view content_type(ExportFormat format) {
  return format == ExportFormat::kCsv ? "text/csv; charset=utf-8; header=present"
                                      : "application/x-ndjson";
}

std::unique_ptr<RowWriter> writer_of(const ExportPlan& plan) {
  if (plan.format == ExportFormat::kCsv) return std::make_unique<CsvWriter>(plan.columns);
  return std::make_unique<NdjsonWriter>();
}

}  // namespace

// One export, from its point in time to the last document. It is one of kExportsMax as long as it
// lives.
class Exporter::Run {
 public:
  Run(Exporter& exporter, const ExportPlan& plan, Target target, milliseconds timeout)
      : exporter_(exporter),
        plan_(plan),
        target_(std::move(target)),
        timeout_(timeout),
        writer_(writer_of(plan)) {}

  ~Run() {
    if (!point_in_time_.empty()) {
      const auto closed =
          elastic::Admin(exporter_.engine_.client(), dialect_).close_point_in_time(point_in_time_);
      if (!closed) log::warning("export: {}", closed.error().message);
    }
    --exporter_.running_;
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Up to the first page, which is there by the deadline.
  std::expected<void, EngineProblem> open(Clock::time_point deadline) {
    opening_until_ = deadline;
    const auto banner = exporter_.engine_.call("GET", "/", "", deadline);
    if (!banner) return std::unexpected(banner.error());
    if (banner->status != 200) {
      return std::unexpected(judge_response(banner->status, banner->body));
    }
    const auto dialect = elastic::parse_banner(banner->body);
    if (!dialect) {
      return std::unexpected(EngineProblem{EngineFault::kUnreadable, dialect.error().message});
    }
    dialect_ = *dialect;
    const auto opened = exporter_.engine_.call(
        "POST", dialect_.open_point_in_time_path(target_.names, kKeepAlive) + target_.parameters,
        "", deadline);
    if (!opened) return std::unexpected(opened.error());
    auto id = point_in_time_of(opened->status, opened->body, dialect_.point_in_time_id_member());
    if (!id) return std::unexpected(id.error());
    point_in_time_ = std::move(*id);
    writer_->begin(rows_);
    const auto page = next_page();
    opening_until_.reset();
    return page;
  }

  // False: it is not whole.
  bool write(const http::Sink& sink) {
    while (true) {
      if (!sink(rows_)) return ended(exporter_.broken_, "the client does not read it");
      if (done_) return ended(exporter_.complete_, "");
      rows_.clear();
      if (exporter_.stopping()) return ended(exporter_.broken_, "this process stops");
      const auto page = next_page();
      if (!page) return ended(exporter_.broken_, page.error().message);
    }
  }

 private:
  bool ended(const metrics::Counter& how, std::string_view why) {
    how.add();
    if (!why.empty()) log::warning("export: broken off after {} documents: {}", count_, why);
    return why.empty();
  }

  std::expected<void, EngineProblem> next_page() {
    milliseconds pause = kFirstPause;
    for (int tries = 1;; ++tries) {
      const auto problem = ask_page();
      if (!problem) return {};
      const bool smaller = problem->fault == EngineFault::kTooLarge && size_ > 1;
      if (smaller) {
        size_ = std::max<size_t>(size_ / kGrowth, 1);
        continue;
      }
      // Before the first page the client can be told to come again.
      if (opening_until_ || !is_passing(problem->fault) || tries == kTries ||
          exporter_.stopping()) {
        return std::unexpected(*problem);
      }
      std::this_thread::sleep_for(pause);
      pause *= 2;
    }
  }

  // Adds a page to the rows, or says why not.
  std::optional<EngineProblem> ask_page() {
    size_t size = size_;
    if (plan_.limit) {
      size = std::min(size, static_cast<size_t>(*plan_.limit - static_cast<int64_t>(count_)));
    }
    const auto response = exporter_.engine_.search(
        "", export_page_body(plan_, point_in_time_, kKeepAliveText, size, after_),
        opening_until_.value_or(Clock::now() + timeout_));
    if (!response) return response.error();
    const size_t before = rows_.size();
    const auto page = read_page(response->status, response->body,
                                [this](std::string_view id, std::string_view source) {
                                  return writer_->row(id, source, rows_);
                                });
    if (!page) {
      rows_.resize(before);
      // Here it is the point in time that is not there any more.
      if (response->status == 404) {
        return EngineProblem{EngineFault::kUnreadable, "the search engine lost its place"};
      }
      return page.error();
    }
    count_ += page->hits;
    exporter_.documents_.add(static_cast<double>(page->hits));
    after_ = page->last_sort;
    if (!page->point_in_time.empty()) point_in_time_ = page->point_in_time;
    done_ = page->hits < size || (plan_.limit && static_cast<int64_t>(count_) >= *plan_.limit);
    const size_t each = response->body.size() / std::max<size_t>(page->hits, 1) + 1;
    size_ = std::clamp<size_t>(kPageBytes / each, 1, std::min(kPageMax, size_ * kGrowth));
    return std::nullopt;
  }

  Exporter& exporter_;
  const ExportPlan plan_;
  const Target target_;
  const milliseconds timeout_;  // of each page but the first
  std::optional<Clock::time_point> opening_until_;
  const std::unique_ptr<RowWriter> writer_;
  elastic::Dialect dialect_;
  std::string point_in_time_;
  std::string after_;
  size_t size_ = kFirstPage;
  size_t count_ = 0;
  bool done_ = false;
  std::string rows_;
};

Exporter::Exporter(Door& door, Engine& engine, metrics::Registry& registry)
    : door_(door),
      engine_(engine),
      complete_(registry.counter("searchsync_query_exports_total", "Exports, by how they ended",
                                 {{"result", "complete"}})),
      broken_(registry.counter("searchsync_query_exports_total", "Exports, by how they ended",
                               {{"result", "broken"}})),
      documents_(registry.counter("searchsync_query_exported_documents_total",
                                  "Documents read for exports")) {}

void Exporter::add_routes(http::Routes& server) {
  server.route(
      http::Method::kPost, "/v1/{index}/export", door_.open("export", [this](const Visit& visit) {
        Faults faults;
        const auto ask =
            read_body(visit.request.body, {"filter", "sort", "fields", "limit", "format"}, faults);
        return ask ? answer(visit, *ask, std::move(faults)) : faults_response(faults);
      }));
  server.route(http::Method::kGet, "/v1/{index}/export",
               door_.open("export", [this](const Visit& visit) {
                 Faults faults;
                 const Ask ask = read_parameters(visit.request.query, visit.rules.catalog,
                                                 {"sort", "fields", "limit", "format"}, faults);
                 return answer(visit, ask, std::move(faults));
               }));
}

void Exporter::stop(milliseconds grace) {
  stop_at_ = (Clock::now() + grace).time_since_epoch().count();
}

bool Exporter::stopping() const {
  return Clock::now().time_since_epoch().count() >= stop_at_;
}

http::Response Exporter::answer(const Visit& visit, const Ask& ask, Faults faults) {
  ExportPlan plan = plan_export(ask, visit.rules, faults);
  if (!faults.empty()) return faults_response(faults);
  // Once, at the beginning: it has to be the same for all pages.
  const auto queries =
      ask_related(plan.related, visit.rules.related_keys_max, engine_, visit.deadline);
  if (!queries) return queries.error();
  plan.query = fill_markers(plan.query, *queries);
  if (++running_ > kExportsMax) {
    --running_;
    return later_response(503, "too_many_exports",
                          fmt::format("{} exports run already; come again", kExportsMax), 5);
  }
  // Shared, because the response that holds it can be copied.
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  const auto& partitions = door_.partitions();
  const auto run = std::make_shared<Run>(
      *this, plan,
      partitions ? partitions->target(ask, now.time_since_epoch().count(), visit.target)
                 : Target{.names = visit.target, .parameters = ""},
      std::chrono::duration_cast<milliseconds>(visit.deadline - visit.start));
  if (const auto opened = run->open(visit.deadline); !opened)
    return problem_response(opened.error());
  return {.content_type = std::string(content_type(plan.format)),
          .headers = {},
          .stream = [run](const http::Sink& sink) { return run->write(sink); }};
}

}  // namespace searchsync::query
