#include "lib/http/health.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>

#include "lib/http/server.h"

namespace searchsync::http {
namespace {

TEST(Health, IsReadyWhenNobodyObjects) {
  Health health;
  EXPECT_TRUE(health.is_ready());
  health.not_ready("kafka", "no broker reachable at a:9092");
  health.not_ready("elastic", "index missing");
  health.not_ready("elastic", "index closed");
  EXPECT_FALSE(health.is_ready());
  EXPECT_EQ(health.reasons(), "elastic: index closed\nkafka: no broker reachable at a:9092\n");
  health.ready("elastic");
  health.ready("kafka");
  health.ready("unknown");
  EXPECT_TRUE(health.is_ready());
  EXPECT_EQ(health.reasons(), "");
}

TEST(Operations, RoutesSayHowTheProcessIs) {
  metrics::Registry registry;
  registry.counter("searchsync_test_total", "Test.").add(3);
  Health health;
  Server server({});
  add_operations_routes(server, registry, health);
  ASSERT_TRUE(server.start());
  httplib::Client client("http://" + server.address());

  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->body, "ok\n");
  health.not_ready("kafka", "no broker reachable at a:9092");
  const auto ready = client.Get("/readyz");
  EXPECT_EQ(ready->status, 503);
  EXPECT_EQ(ready->body, "kafka: no broker reachable at a:9092\n");
  EXPECT_EQ(client.Get("/healthz")->status, 200);

  const auto metrics = client.Get("/metrics");
  EXPECT_EQ(metrics->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics->body.find("\nsearchsync_test_total 3\n"), std::string::npos);
}

TEST(AddressFile, IsThereWholeOrNotAtAll) {
  const auto folder = std::filesystem::path(::testing::TempDir());
  const std::string path = folder / "address_file_test";
  ASSERT_TRUE(write_address_file(path, "127.0.0.1:1234"));
  ASSERT_TRUE(write_address_file(path, "127.0.0.1:5678"));
  std::ifstream file(path);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(file)), {}), "127.0.0.1:5678\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  std::filesystem::remove(path);

  const auto failed = write_address_file(folder / "absent" / "address", "x");
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("absent/address"), std::string::npos);
}

}  // namespace
}  // namespace searchsync::http
