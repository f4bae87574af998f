#include "lib/metrics/registry.h"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace searchsync::metrics {
namespace {

// Takes [a-z_][a-z0-9_]* from the front of `text`; "" if there is none.
std::string take_name(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && (std::islower(text[size]) || text[size] == '_' ||
                                (size > 0 && std::isdigit(text[size])))) {
    ++size;
  }
  const std::string name(text.substr(0, size));
  text.remove_prefix(size);
  return name;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

// Takes name="value" with the three escapes of the format.
bool take_label(std::string_view& text) {
  if (take_name(text).empty() || !take(text, "=\"")) return false;
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && !(text.size() > 1 && std::string_view("\\\"n").contains(text[1]))) {
      return false;
    }
    text.remove_prefix(text.front() == '\\' ? 2 : 1);
  }
  return take(text, "\"");
}

// The samples of a text in format 0.0.4 by "name{labels}"; the test fails if it is not in that
// format, or if a family is described twice or after its samples.
std::map<std::string, double> parse(const std::string& text) {
  std::map<std::string, double> samples;
  std::set<std::string> described;
  std::string family;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view rest = line;
    if (take(rest, "# HELP ")) {
      EXPECT_FALSE(take_name(rest).empty()) << line;
      continue;
    }
    if (take(rest, "# TYPE ")) {
      family = take_name(rest);
      EXPECT_TRUE(described.insert(family).second) << line;
      continue;
    }
    EXPECT_TRUE(take_name(rest).starts_with(family)) << line;
    if (take(rest, "{")) {
      do {
        EXPECT_TRUE(take_label(rest)) << line;
      } while (take(rest, ","));
      EXPECT_TRUE(take(rest, "}")) << line;
    }
    const std::string sample = line.substr(0, line.size() - rest.size());
    EXPECT_TRUE(take(rest, " ")) << line;
    EXPECT_TRUE(samples.emplace(sample, std::stod(std::string(rest))).second) << line;
  }
  EXPECT_TRUE(text.ends_with('\n'));
  return samples;
}

TEST(Metrics, RendersEachType) {
  Registry registry;
  registry.counter("a_total", "A.").add();
  registry.counter("a_total", "A.").add(2.5);
  registry.gauge("b_bytes", "B.", {{"topic", "t"}}).set(-7);
  const auto histogram = registry.histogram("c_seconds", "C.", {0.1, 1});
  histogram.observe(0.05);
  histogram.observe(0.5);
  histogram.observe(50);
  const auto samples = parse(registry.render());
  EXPECT_EQ(samples.at("a_total"), 3.5);
  EXPECT_EQ(samples.at("b_bytes{topic=\"t\"}"), -7);
  EXPECT_EQ(samples.at("c_seconds_bucket{le=\"0.1\"}"), 1);
  EXPECT_EQ(samples.at("c_seconds_bucket{le=\"1\"}"), 2);
  EXPECT_EQ(samples.at("c_seconds_bucket{le=\"+Inf\"}"), 3);
  EXPECT_EQ(samples.at("c_seconds_count"), 3);
  EXPECT_DOUBLE_EQ(samples.at("c_seconds_sum"), 50.55);
}

TEST(Metrics, EscapesLabelValues) {
  Registry registry;
  registry.gauge("g", "G.", {{"l", "a\"b\\c\nd"}}).set(1);
  EXPECT_EQ(parse(registry.render()).at("g{l=\"a\\\"b\\\\c\\nd\"}"), 1);
}

TEST(Metrics, SameNameAndLabelsAreTheSameMetric) {
  Registry registry;
  registry.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}}).add();
  registry.counter("a_total", "A.", {{"y", "2"}, {"x", "1"}}).add();
  registry.counter("a_total", "A.", {{"x", "2"}, {"y", "2"}}).add();
  EXPECT_EQ(registry.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}}).value(), 2);
}

TEST(Metrics, RemovedGaugeIsGoneUntilAskedForAgain) {
  Registry registry;
  registry.gauge("lag", "L.", {{"partition", "0"}}).set(4);
  registry.gauge("lag", "L.", {{"partition", "1"}}).set(5);
  registry.remove_gauge("lag", {{"partition", "0"}});
  registry.remove_gauge("lag", {{"partition", "9"}});
  auto samples = parse(registry.render());
  EXPECT_FALSE(samples.contains("lag{partition=\"0\"}"));
  EXPECT_EQ(samples.at("lag{partition=\"1\"}"), 5);
  EXPECT_EQ(registry.gauge("lag", "L.", {{"partition", "0"}}).value(), 0);
}

TEST(Metrics, SaysWhatTheProcessUses) {
  const Registry registry;
  const auto samples = parse(registry.render());
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1e5);
  EXPECT_GE(samples.at("process_cpu_seconds_total"), 0);
  EXPECT_GE(samples.at("process_open_fds"), 3);
  EXPECT_GE(samples.at("process_threads"), 1);
  EXPECT_GT(samples.at("process_start_time_seconds"), 1.5e9);
}

TEST(Metrics, MisuseIsABug) {
  Registry registry;
  registry.counter("a_total", "A.", {{"x", "1"}});
  EXPECT_DEATH(registry.gauge("a_total", "A.", {{"x", "1"}}), "another type");
  EXPECT_DEATH(registry.counter("a_total", "A.", {{"y", "1"}}), "other labels");
  EXPECT_DEATH(registry.counter("b_total", "Two\nlines."), "one line");
  EXPECT_DEATH(registry.counter("9a", "A."), "no name");
  EXPECT_DEATH(registry.histogram("h", "H.", {1, 1}), "do not rise");
}

TEST(Metrics, ManyThreadsCountEverything) {
  Registry registry;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&registry, i] {
        for (int n = 0; n < 1000; ++n) {
          registry.counter("a_total", "A.").add();
          registry.gauge("g", "G.", {{"thread", std::to_string(i)}}).add(1);
          if (n % 100 == 0) (void)registry.render();
        }
      });
    }
  }
  EXPECT_EQ(registry.counter("a_total", "A.").value(), 4000);
}

}  // namespace
}  // namespace searchsync::metrics
