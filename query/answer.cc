#include "query/answer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "lib/base/error.h"
#include "lib/elastic/engine_error.h"
#include "lib/elastic/json_text.h"
#include "query/cursor.h"

namespace searchsync::query {
namespace {

namespace ondemand = simdjson::ondemand;

std::unexpected<EngineProblem> problem(EngineFault fault, std::string message) {
  return std::unexpected(EngineProblem{fault, std::move(message)});
}

std::unexpected<EngineProblem> unreadable(std::string_view what) {
  return problem(EngineFault::kUnreadable,
                 fmt::format("the search engine's answer cannot be read: {}", what));
}

// A JSON scalar as it stood, without what surrounds it.
std::string_view trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

using Take = FunctionRef<bool(std::string_view, std::string_view)>;

class Reader {
 public:
  explicit Reader(const SearchPlan* plan) : plan_(plan) {}
  // Of a page: hands the documents on, and needs no total.
  Reader(const SearchPlan* plan, Take take) : plan_(plan), take_(take) {}

  // False if the answer is torn or of another form.
  bool read(ondemand::object top) {
    for (auto field : top) {
      std::string_view name;
      ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value)) return false;
      bool good = true;
      if (name == "took") {
        good = !value.get_int64().get(took_);
      } else if (name == "timed_out") {
        bool late = false;
        good = !value.get_bool().get(late);
        timed_out_ = late;
      } else if (name == "_shards") {
        good = read_shards(value);
      } else if (name == "hits") {
        good = read_hits(value);
      } else if (name == "aggregations") {
        good = read_facets(value);
      } else if (name == "pit_id") {
        std::string_view id;
        good = !value.get_string().get(id);
        point_in_time_ = id;
      }
      if (!good) return false;
    }
    return timed_out_ && failed_shards_ && (take_ || has_total_);
  }

  bool timed_out() const { return *timed_out_; }
  int64_t failed_shards() const { return *failed_shards_; }
  int64_t took() const { return took_; }
  int64_t shards() const { return shards_; }
  bool allows_partial() const { return plan_->partial == Partial::kAllowed; }
  bool partial() const { return *timed_out_ || *failed_shards_ > 0; }
  // ,"partial":true,…; nothing if the answer is whole.
  std::string partial_members() const {
    if (!partial()) return {};
    std::string reasons;
    if (*timed_out_) reasons = "\"the search engine did not finish in time\"";
    if (*failed_shards_ > 0) {
      reasons += fmt::format("{}\"{} of {} shards failed\"", reasons.empty() ? "" : ",",
                             *failed_shards_, shards_);
    }
    return fmt::format(R"(,"partial":true,"partialReasons":[{}])", reasons);
  }
  int64_t total_value() const { return total_value_; }
  Page page() const {
    return {.hits = count_, .last_sort = last_sort_, .point_in_time = point_in_time_};
  }

  Answer answer() const {
    Answer answer{.members = fmt::format(R"("total":{},"hits":[{}])",
                                         total_json(total_value_, exact_ && !partial()), hits_),
                  .engine_took_ms = took_,
                  .shards = shards_};
    if (plan_->pages && plan_->size > 0 && count_ == plan_->size && !last_sort_.empty() &&
        !partial()) {
      answer.members +=
          fmt::format(R"(,"cursor":"{}")", encode_cursor(last_sort_, plan_->fingerprint));
    }
    answer.members += partial_members();
    if (!plan_->facets.empty()) answer.members += fmt::format(R"(,"facets":{{{}}})", facets_);
    return answer;
  }

 private:
  // Of a shard that is nowhere OpenSearch says nothing, but that it did not succeed.
  bool read_shards(ondemand::value value) {
    ondemand::object shards;
    int64_t failed = 0;
    int64_t successful = 0;
    if (value.get_object().get(shards) || shards["failed"].get_int64().get(failed)) return false;
    if (shards["total"].get_int64().get(shards_)) shards_ = failed;
    if (!shards["successful"].get_int64().get(successful)) failed = shards_ - successful;
    failed_shards_ = failed;
    return true;
  }

  bool read_hits(ondemand::value value) {
    ondemand::object hits;
    if (value.get_object().get(hits)) return false;
    for (auto field : hits) {
      std::string_view name;
      ondemand::value member;
      if (field.unescaped_key().get(name) || field.value().get(member)) return false;
      if (name == "total") {
        if (!read_total(member)) return false;
      } else if (name == "hits") {
        ondemand::array list;
        if (member.get_array().get(list)) return false;
        for (auto element : list) {
          ondemand::object hit;
          if (element.get_object().get(hit) || !read_hit(hit)) return false;
        }
      }
    }
    return true;
  }

  static std::string total_json(int64_t value, bool exact) {
    return fmt::format(R"({{"value":{},"relation":"{}"}})", value, exact ? "eq" : "gte");
  }

  bool read_total(ondemand::value value) {
    std::string_view relation;
    if (value["value"].get_int64().get(total_value_) ||
        value["relation"].get_string().get(relation)) {
      return false;
    }
    exact_ = relation == "eq";
    has_total_ = true;
    return true;
  }

  bool read_hit(ondemand::object hit) {
    std::string_view id;
    std::string_view source_text;
    for (auto field : hit) {
      std::string_view name;
      ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value)) return false;
      if (name == "_id") {
        id = trimmed(value.raw_json_token());
      } else if (name == "_source") {
        ondemand::object source;
        if (value.get_object().get(source) || source.raw_json().get(source_text)) return false;
      } else if (name == "sort") {
        ondemand::array sort;
        std::string_view raw;
        if (value.get_array().get(sort) || sort.raw_json().get(raw)) return false;
        last_sort_ = raw;
      }
    }
    if (id.empty()) return false;
    ++count_;
    if (take_) return (*take_)(id, source_text);
    if (!hits_.empty()) hits_ += ',';
    hits_.append("{\"id\":").append(id);
    if (!source_text.empty()) hits_.append(",\"source\":").append(source_text);
    hits_ += '}';
    return true;
  }

  bool read_facets(ondemand::value value) {
    ondemand::object all;
    if (value.get_object().get(all)) return false;
    for (auto field : all) {
      std::string_view name;
      ondemand::object facet;
      if (field.unescaped_key().get(name) || field.value().get_object().get(facet)) return false;
      const auto asked = std::ranges::find(plan_->facets, name, &Facet::name);
      if (asked == plan_->facets.end()) continue;
      if (!facets_.empty()) facets_ += ',';
      facets_ += fmt::format("\"{}\":", asked->name);
      if (asked->nested) {
        ondemand::object inner;
        if (facet["values"].get_object().get(inner) || !read_buckets(*asked, inner)) return false;
      } else if (!read_buckets(*asked, facet)) {
        return false;
      }
    }
    return true;
  }

  bool read_buckets(const Facet& facet, ondemand::object terms) {
    ondemand::array buckets;
    int64_t other = 0;
    if (terms["sum_other_doc_count"].get_int64().get(other)) return false;
    if (terms["buckets"].get_array().get(buckets)) return false;
    std::string list;
    for (auto element : buckets) {
      ondemand::object bucket;
      if (element.get_object().get(bucket)) return false;
      if (!list.empty()) list += ',';
      if (!read_bucket(facet, bucket, list)) return false;
    }
    // Of a nested field the engine counts the elements that are left out, not their documents.
    facets_ += facet.nested ? fmt::format(R"({{"buckets":[{}]}})", list)
                            : fmt::format(R"({{"buckets":[{}],"otherCount":{}}})", list, other);
    return true;
  }

  static bool read_bucket(const Facet& facet, ondemand::object bucket, std::string& list) {
    std::string value;
    int64_t count = -1;
    for (auto field : bucket) {
      std::string_view name;
      ondemand::value member;
      if (field.unescaped_key().get(name) || field.value().get(member)) return false;
      if (name == "key" && value.empty()) {
        value = trimmed(member.raw_json_token());
      } else if (name == "key_as_string") {
        // "true", or a date in the field's own format.
        std::string_view text;
        if (facet.boolean) {
          if (member.get_string().get(text)) return false;
          value = text == "true" ? "true" : "false";
        } else {
          value = trimmed(member.raw_json_token());
        }
      } else if (name == "doc_count" && !facet.nested) {
        if (member.get_int64().get(count)) return false;
      } else if (name == "documents" && facet.nested) {
        if (member["doc_count"].get_int64().get(count)) return false;
      }
    }
    list += fmt::format(R"({{"value":{},"count":{}}})", value, count);
    return count >= 0 && !value.empty();
  }

  const SearchPlan* plan_;
  const std::optional<Take> take_;
  int64_t took_ = 0;
  std::optional<bool> timed_out_;
  std::optional<int64_t> failed_shards_;
  int64_t shards_ = 0;
  bool has_total_ = false;
  bool exact_ = false;
  int64_t total_value_ = 0;
  std::string hits_;
  size_t count_ = 0;
  std::string last_sort_;
  std::string facets_;
  std::string point_in_time_;
};

// `reader`, if it has read a whole answer.
std::expected<Reader, EngineProblem> read(int status, std::string_view body, Reader reader) {
  if (status != 200) return std::unexpected(judge_response(status, body));
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object top;
  if (parser.iterate(padded).get(document) || document.get_object().get(top) || !reader.read(top)) {
    return unreadable("it is not a complete search response");
  }
  if (reader.allows_partial()) return reader;
  if (reader.timed_out()) {
    return problem(EngineFault::kSlow, "the search engine did not finish in time");
  }
  if (reader.failed_shards() > 0) {
    return problem(EngineFault::kPartial,
                   fmt::format("the search failed on {} shards", reader.failed_shards()));
  }
  return reader;
}

}  // namespace

EngineProblem judge_response(int status, std::string_view body) {
  const elastic::EngineError error = elastic::read_engine_error(status, body);
  const std::string text = error.text();
  switch (status) {
    case 400:
      return {EngineFault::kRefused, text};
    case 401:
    case 403:
      return {EngineFault::kCredentials,
              "the search engine does not accept this service's "
              "credentials"};
    case 404:
      return {EngineFault::kAway, "no index is in service yet"};
    case 408:
    case 504:
      return {EngineFault::kSlow, "the search engine did not finish in time"};
    case 429:
      return {EngineFault::kAway, "the search engine is overloaded"};
    case 503:
      // With allow_partial_search_results=false this also is what a missing shard looks like.
      return {EngineFault::kAway, "the search engine cannot answer now: " + text};
    default:
      break;
  }
  if (error.type == "search_phase_execution_exception") {
    return {EngineFault::kPartial, "the search failed on some shards: " + text};
  }
  return {EngineFault::kUnreadable, fmt::format("the search engine answered {}: {}", status, text)};
}

std::expected<Answer, EngineProblem> search_answer(int status, std::string_view body,
                                                   const SearchPlan& plan) {
  ASSIGN_OR_RETURN(const Reader reader, read(status, body, Reader(&plan)));
  return reader.answer();
}

std::expected<Answer, EngineProblem> count_answer(int status, std::string_view body,
                                                  const SearchPlan& plan) {
  ASSIGN_OR_RETURN(const Reader reader, read(status, body, Reader(&plan)));
  return Answer{
      .members = fmt::format(R"("count":{}{})", reader.total_value(), reader.partial_members()),
      .engine_took_ms = reader.took(),
      .shards = reader.shards()};
}

std::expected<Page, EngineProblem> read_page(
    int status, std::string_view body,
    FunctionRef<bool(std::string_view id, std::string_view source)> take) {
  const SearchPlan plan;
  ASSIGN_OR_RETURN(const Reader reader, read(status, body, Reader(&plan, take)));
  return reader.page();
}

std::expected<std::string, EngineProblem> point_in_time_of(int status, std::string_view body,
                                                           std::string_view member) {
  if (status != 200 && status != 201) return std::unexpected(judge_response(status, body));
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  std::string_view id;
  if (parser.iterate(padded).get(document) || document[member].get_string().get(id)) {
    return unreadable("it is not a point in time");
  }
  return std::string(id);
}

std::expected<Answer, EngineProblem> document_answer(int status, std::string_view body) {
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  bool found = false;
  const bool readable =
      !parser.iterate(padded).get(document) && !document["found"].get_bool().get(found);
  if (!readable || (status != 200 && status != 404)) {
    if (status != 200) return std::unexpected(judge_response(status, body));
    return unreadable("it is not a document");
  }
  if (!found) return Answer{};
  std::string_view id;
  ondemand::object source;
  std::string_view raw;
  if (document["_id"].get_string().get(id) || document["_source"].get_object().get(source) ||
      source.raw_json().get(raw)) {
    return unreadable("the document has no _source");
  }
  std::string members = "\"id\":";
  elastic::append_quoted(members, id);
  members += ",\"source\":";
  members += raw;
  return Answer{.members = std::move(members), .engine_took_ms = 0};
}

}  // namespace searchsync::query
