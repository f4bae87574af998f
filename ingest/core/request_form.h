#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/core/answer.h"
#include "ingest/core/event_reader.h"

namespace searchsync::ingest {

// How a body is to be read. Nothing: not in any way that is known. Without a type it is JSON.
std::optional<BodyForm> body_form(std::optional<std::string_view> content_type);

struct RequestOptions {
  OnError on_error = OnError::kReject;
  ReceiptsAsked receipts = ReceiptsAsked::kAll;
};

// query: names and values, decoded. Errors: what is wrong with it.
std::expected<RequestOptions, std::string> request_options(
    std::span<const std::pair<std::string, std::string>> query);

// Bearer tokens, of which any will do.
class Tokens {
 public:
  // text: one a line; empty lines and those that begin with # mean nothing. Errors: a message
  // without any of them, if one is shorter than 16 characters, or there is none.
  static std::expected<Tokens, std::string> parse(std::string_view text);

  // authorization: the header's value. Takes as long whether it is right or not.
  bool allow(std::optional<std::string_view> authorization) const;

 private:
  std::vector<std::string> tokens_;
};

}  // namespace searchsync::ingest
