#include "ingest/core/request_form.h"

#include <fmt/format.h>

#include <algorithm>

#include "ingest/core/excerpt.h"

namespace searchsync::ingest {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const size_t end = text.find_last_not_of(kBlanks) + 1;
  return text.substr(begin, end <= begin ? 0 : end - begin);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// Looks at all bytes of `given`, wherever they differ.
bool equal(std::string_view given, std::string_view token) {
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    difference |=
        static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(token[i % token.size()]);
  }
  return difference == 0;
}

}  // namespace

std::optional<BodyForm> body_form(std::optional<std::string_view> content_type) {
  if (!content_type) return BodyForm::kJson;
  const auto type = lower(trimmed(content_type->substr(0, content_type->find(';'))));
  if (type.empty() || type == "application/json") return BodyForm::kJson;
  if (type == "application/x-ndjson" || type == "application/jsonl") return BodyForm::kNdjson;
  return std::nullopt;
}

std::expected<RequestOptions, std::string> request_options(
    std::span<const std::pair<std::string, std::string>> query) {
  RequestOptions options;
  const auto wrong = [](std::string_view name, std::string_view expected, std::string_view found) {
    return std::unexpected(
        fmt::format("{}: expected {}, found \"{}\"", name, expected, printable_excerpt(found)));
  };
  for (const auto& [name, value] : query) {
    if (name == "onError") {
      if (value != "reject" && value != "accept") return wrong(name, "reject or accept", value);
      options.on_error = value == "accept" ? OnError::kAccept : OnError::kReject;
    } else if (name == "receipts") {
      if (value != "all" && value != "none") return wrong(name, "all or none", value);
      options.receipts = value == "none" ? ReceiptsAsked::kNone : ReceiptsAsked::kAll;
    } else {
      return std::unexpected(fmt::format(
          "there is no parameter \"{}\": known are onError, receipts", printable_excerpt(name)));
    }
  }
  return options;
}

std::expected<Tokens, std::string> Tokens::parse(std::string_view text) {
  constexpr size_t kBytesMin = 16;
  Tokens tokens;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < kBytesMin) {
      return std::unexpected(fmt::format(
          "token {} has {} characters: make each at least {} long, by `openssl rand -hex 32`",
          tokens.tokens_.size() + 1, line.size(), kBytesMin));
    }
    tokens.tokens_.emplace_back(line);
  }
  if (tokens.tokens_.empty()) {
    return std::unexpected(std::string("holds no token: write one a line"));
  }
  return tokens;
}

bool Tokens::allow(std::optional<std::string_view> authorization) const {
  constexpr std::string_view kScheme = "bearer ";
  if (!authorization || lower(authorization->substr(0, kScheme.size())) != kScheme) return false;
  const std::string_view given = trimmed(authorization->substr(kScheme.size()));
  bool allowed = false;
  for (const auto& token : tokens_) allowed = equal(given, token) || allowed;
  return allowed;
}

}  // namespace searchsync::ingest
