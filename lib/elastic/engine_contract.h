#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "lib/elastic/admin.h"
#include "lib/elastic/dialect.h"
#include "lib/http/client.h"

namespace searchsync::elastic {

// What we believe of the engines, asked of a real one: that at SEARCHSYNC_TEST_SEARCH, which is
// http://host:port; skipped without.
class EngineContract : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("SEARCHSYNC_TEST_SEARCH");
    if (url == nullptr) GTEST_SKIP() << "SEARCHSYNC_TEST_SEARCH is not set";
    auto engine = http::Client::create({.base_urls = {url}});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
    auto dialect = detect(*engine_);
    ASSERT_TRUE(dialect) << dialect.error().message;
    admin_.emplace(*engine_, *dialect);
  }

  // Nobody else's: several run at a time.
  static std::string own_name(std::string_view what) {
    return fmt::format("{}-{:08x}", what, std::random_device()());
  }

  std::unique_ptr<http::Client> engine_;
  std::optional<Admin> admin_;  // none: it is skipped
};

}  // namespace searchsync::elastic
