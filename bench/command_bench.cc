// Commands of examples/widgets as fast as they go, over HTTP. Prints one JSON object.
//
//   command_bench add|associate HOST:PORT CONNECTIONS COMMANDS
//
// COMMANDS: of each connection. Each sends its next when the last is answered. `add` adds widgets
// that nobody else adds; `associate` takes two of these at a time.

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/http_load.h"
#include "lib/base/check.h"

namespace searchsync {
namespace {

using Clock = std::chrono::steady_clock;

std::string serial(size_t connection, size_t number) {
  return fmt::format("http-{}-{}", connection, number);
}

std::string request(bool associate, size_t connection, size_t number) {
  const std::string body =
      associate ? fmt::format(R"({{"serial":"{}","peer":"{}","port":"P"}})",
                              serial(connection, 2 * number), serial(connection, 2 * number + 1))
                : fmt::format(R"({{"serial":"{}","name":"bench","ports":["P","Q"]}})",
                              serial(connection, number));
  return fmt::format("POST /rpc/{} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}",
                     associate ? "associate_widgets" : "add_widget", body.size(), body);
}

struct Outcome {
  std::vector<double> latencies;
  size_t done = 0;
};

int main_of(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4 || (arguments[0] != "add" && arguments[0] != "associate")) {
    fmt::print(stderr, "usage: see bench/command_bench.cc\n");
    return 2;
  }
  const bool associate = arguments[0] == "associate";
  const auto commands = static_cast<size_t>(std::atoi(arguments[3].c_str()));
  std::vector<Outcome> outcomes(static_cast<size_t>(std::atoi(arguments[2].c_str())));
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (size_t c = 0; c < outcomes.size(); ++c) {
      threads.emplace_back([&, c] {
        Connection connection(arguments[1]);
        for (size_t i = 0; i < commands; ++i) {
          const std::string sent = request(associate, c, i);
          const auto at = Clock::now();
          const int status = connection.exchange(sent);
          outcomes[c].latencies.push_back(std::chrono::duration<double>(Clock::now() - at).count());
          outcomes[c].done += status == 200 || status == 204 ? 1 : 0;
        }
      });
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Outcome all;
  for (const auto& one : outcomes) {
    all.latencies.insert(all.latencies.end(), one.latencies.begin(), one.latencies.end());
    all.done += one.done;
  }
  report(all.done, seconds, all.latencies, all.latencies.size() - all.done);
  return 0;
}

}  // namespace
}  // namespace searchsync

int main(int argc, char** argv) {
  return searchsync::main_of({argv + 1, argv + argc});
}
