// Events as fast as they go: over HTTP to `searchsync ingest`, or straight into Kafka by the same
// producer, to compare. Prints one JSON object.
//
//   ingest_bench produce BROKERS TOPIC EVENTS
//   ingest_bench post HOST:PORT PATH CONNECTIONS EVENTS_A_REQUEST SECONDS [EVENTS_A_SECOND]
//
// Without a rate each connection sends its next request when the last one is answered. With one,
// requests have times at which they are due, and a latency counts from then: what waits for a slow
// answer is late, and not left out.

#include <fmt/core.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/http_load.h"
#include "lib/base/check.h"
#include "lib/kafka/producer.h"

namespace searchsync {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::milliseconds;

constexpr size_t kBodies = 8;  // of each connection, sent in turn

// As a shop would send it, of some 230 bytes.
std::string event(uint64_t number) {
  const uint64_t mixed = number * 0x9e3779b97f4a7c15;
  return fmt::format(R"({{"event_id":"{:016x}-{:08x}-4c7d-8a4e","user_id":"user-{:07}",)"
                     R"("product_id":"product-{:05}","store_id":"store-{:03}","event_type":"{}",)"
                     R"("timestamp":"2026-01-31T12:{:02}:{:02}.{:03}Z"}})",
                     mixed, number, mixed % 5'000'000, (mixed >> 20) % 50'000, (mixed >> 40) % 500,
                     number % 7 == 0 ? "purchase" : "view", number / 60 % 60, number % 60,
                     number % 1000);
}

std::string user_of(const std::string& row) {
  const size_t begin = row.find("user-");
  return row.substr(begin, row.find('"', begin) - begin);
}

int produce(const std::string& brokers, const std::string& topic, size_t events) {
  std::vector<Clock::time_point> sent(events);
  std::vector<double> latencies;
  latencies.reserve(events);
  size_t failures = 0;
  auto producer = kafka::Producer::create(
      {.bootstrap_servers = {brokers}}, {.linger = milliseconds(3)},
      [&](const kafka::Delivery& delivery) {
        failures += delivery.error ? 1 : 0;
        latencies.push_back(duration<double>(Clock::now() - sent[delivery.token]).count());
      });
  CHECK(producer);
  std::vector<std::string> rows;
  for (uint64_t i = 0; i < 10'000; ++i) rows.push_back(event(i));
  const auto start = Clock::now();
  for (uint64_t i = 0; i < events;) {
    const std::string& row = rows[i % rows.size()];
    sent[i] = Clock::now();
    if ((*producer)->send(topic, kafka::kPartitionByKey, user_of(row), row, {}, i)) {
      ++i;
    } else {
      (*producer)->poll(milliseconds(1));
    }
    if (i % 100 == 0) (*producer)->poll(milliseconds(0));
  }
  CHECK((*producer)->flush(milliseconds(60'000)));
  report(events, duration<double>(Clock::now() - start).count(), latencies, failures);
  return 0;
}

struct Load {
  std::string address;
  std::string path;
  size_t connections = 1;
  size_t events = 1;  // of a request
  double seconds = 1;
  double rate = 0;  // events a second, of all; 0: as fast as it goes
};

std::vector<std::string> requests(const Load& load, size_t connection) {
  std::vector<std::string> all;
  uint64_t number = connection * 1'000'000;
  for (size_t i = 0; i < kBodies; ++i) {
    std::string body;
    for (size_t e = 0; e < load.events; ++e) body += event(number++) + "\n";
    all.push_back(
        fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    load.path, body.size(), body));
  }
  return all;
}

struct Outcome {
  std::vector<double> latencies;
  size_t taken = 0;
  size_t failures = 0;
};

void send_all(const Load& load, size_t number, Clock::time_point start, Outcome& outcome) {
  Connection connection(load.address);
  const auto bodies = requests(load, number);
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(duration<double>(load.seconds));
  const duration<double> every(load.rate > 0 ? static_cast<double>(load.events) *
                                                   static_cast<double>(load.connections) / load.rate
                                             : 0);
  std::this_thread::sleep_until(start);
  for (size_t i = 0;; ++i) {
    auto due = Clock::now();
    if (load.rate > 0) {
      // Spread over the interval, so that not all send at once.
      const auto share = static_cast<double>(number) / static_cast<double>(load.connections);
      due = start +
            std::chrono::duration_cast<Clock::duration>(every * (static_cast<double>(i) + share));
      std::this_thread::sleep_until(due);
    }
    if (due >= end) return;
    const int status = connection.exchange(bodies[i % bodies.size()]);
    outcome.latencies.push_back(duration<double>(Clock::now() - due).count());
    if (status == 202) {
      outcome.taken += load.events;
    } else {
      ++outcome.failures;
    }
  }
}

int post(const Load& load) {
  std::vector<Outcome> outcomes(load.connections);
  const auto start = Clock::now() + milliseconds(500);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < load.connections; ++i) {
      threads.emplace_back([&, i] { send_all(load, i, start, outcomes[i]); });
    }
  }
  const double seconds = duration<double>(Clock::now() - start).count();
  Outcome all;
  for (const auto& one : outcomes) {
    all.latencies.insert(all.latencies.end(), one.latencies.begin(), one.latencies.end());
    all.taken += one.taken;
    all.failures += one.failures;
  }
  report(all.taken, seconds, all.latencies, all.failures);
  return 0;
}

int main_of(const std::vector<std::string>& arguments) {
  const auto number = [&](size_t i) { return std::strtod(arguments[i].c_str(), nullptr); };
  if (arguments.size() == 4 && arguments[0] == "produce") {
    return produce(arguments[1], arguments[2], static_cast<size_t>(number(3)));
  }
  if ((arguments.size() == 6 || arguments.size() == 7) && arguments[0] == "post") {
    return post({.address = arguments[1],
                 .path = arguments[2],
                 .connections = static_cast<size_t>(number(3)),
                 .events = static_cast<size_t>(number(4)),
                 .seconds = number(5),
                 .rate = arguments.size() == 7 ? number(6) : 0});
  }
  fmt::print(stderr, "usage: see bench/ingest_bench.cc\n");
  return 2;
}

}  // namespace
}  // namespace searchsync

int main(int argc, char** argv) {
  return searchsync::main_of({argv + 1, argv + argc});
}
