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

EngineProblem judge(int status, std::string_view body) {
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

// A JSON scalar as it stood, without what surrounds it.
std::string_view trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

class Reader {
 public:
  explicit Reader(const SearchPlan* plan) : plan_(plan) {}

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
        int64_t failed = 0;
        good = !value["failed"].get_int64().get(failed);
        failed_shards_ = failed;
      } else if (name == "hits") {
        good = read_hits(value);
      } else if (name == "aggregations") {
        good = read_facets(value);
      }
      if (!good) return false;
    }
    return timed_out_ && failed_shards_ && !total_.empty();
  }

  bool timed_out() const { return *timed_out_; }
  int64_t failed_shards() const { return *failed_shards_; }
  int64_t took() const { return took_; }
  int64_t total_value() const { return total_value_; }

  Answer answer() const {
    Answer answer{.members = fmt::format(R"("total":{},"hits":[{}])", total_, hits_),
                  .engine_took_ms = took_};
    if (plan_->pages && plan_->size > 0 && count_ == plan_->size && !last_sort_.empty()) {
      answer.members +=
          fmt::format(R"(,"cursor":"{}")", encode_cursor(last_sort_, plan_->fingerprint));
    }
    if (!plan_->facets.empty()) answer.members += fmt::format(R"(,"facets":{{{}}})", facets_);
    return answer;
  }

 private:
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

  bool read_total(ondemand::value value) {
    std::string_view relation;
    if (value["value"].get_int64().get(total_value_) ||
        value["relation"].get_string().get(relation)) {
      return false;
    }
    total_ = fmt::format(R"({{"value":{},"relation":"{}"}})", total_value_,
                         relation == "eq" ? "eq" : "gte");
    return true;
  }

  bool read_hit(ondemand::object hit) {
    if (count_++ > 0) hits_ += ',';
    hits_ += '{';
    bool has_id = false;
    bool has_source = false;
    for (auto field : hit) {
      std::string_view name;
      ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value)) return false;
      if (name == "_id") {
        has_id = true;
        hits_ += has_source ? ",\"id\":" : "\"id\":";
        hits_ += trimmed(value.raw_json_token());
      } else if (name == "_source") {
        ondemand::object source;
        std::string_view raw;
        if (value.get_object().get(source) || source.raw_json().get(raw)) return false;
        has_source = true;
        hits_ += has_id ? ",\"source\":" : "\"source\":";
        hits_ += raw;
      } else if (name == "sort") {
        ondemand::array sort;
        std::string_view raw;
        if (value.get_array().get(sort) || sort.raw_json().get(raw)) return false;
        last_sort_ = raw;
      }
    }
    hits_ += '}';
    return has_id;
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
  int64_t took_ = 0;
  std::optional<bool> timed_out_;
  std::optional<int64_t> failed_shards_;
  std::string total_;
  int64_t total_value_ = 0;
  std::string hits_;
  size_t count_ = 0;
  std::string last_sort_;
  std::string facets_;
};

std::expected<Reader, EngineProblem> read(int status, std::string_view body,
                                          const SearchPlan* plan) {
  if (status != 200) return std::unexpected(judge(status, body));
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object top;
  Reader reader(plan);
  if (parser.iterate(padded).get(document) || document.get_object().get(top) || !reader.read(top)) {
    return unreadable("it is not a complete search response");
  }
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

std::expected<Answer, EngineProblem> search_answer(int status, std::string_view body,
                                                   const SearchPlan& plan) {
  ASSIGN_OR_RETURN(const Reader reader, read(status, body, &plan));
  return reader.answer();
}

std::expected<Answer, EngineProblem> count_answer(int status, std::string_view body) {
  const SearchPlan plan;
  ASSIGN_OR_RETURN(const Reader reader, read(status, body, &plan));
  return Answer{.members = fmt::format(R"("count":{})", reader.total_value()),
                .engine_took_ms = reader.took()};
}

std::expected<Answer, EngineProblem> document_answer(int status, std::string_view body) {
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  bool found = false;
  const bool readable =
      !parser.iterate(padded).get(document) && !document["found"].get_bool().get(found);
  if (!readable || (status != 200 && status != 404)) {
    if (status != 200) return std::unexpected(judge(status, body));
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
