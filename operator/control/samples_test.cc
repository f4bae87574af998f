#include "operator/control/samples.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace searchsync::control {
namespace {

TEST(Samples, ReadsTheTextFormat) {
  const auto samples = parse_samples(
      "# HELP a_total Help.\n# TYPE a_total counter\na_total 3\n"
      "b{x=\"1\",y=\"a \\\"b\\\" \\\\ c\\n{}\"} 2.5 1700000000\n"
      "c{} NaN\nbroken{x=\"1\nnothing\n{x=\"1\"} 4\n\nlast 1");
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0].name, "a_total");
  EXPECT_EQ(samples[0].value, 3);
  EXPECT_EQ(samples[1].label("x"), "1");
  EXPECT_EQ(samples[1].label("y"), "a \"b\" \\ c\n{}");
  EXPECT_EQ(samples[1].label("z"), "");
  EXPECT_EQ(samples[1].value, 2.5);
  EXPECT_EQ(samples[3].name, "last");
}

TEST(Samples, OfSeveralProcessesAddUp) {
  const auto samples = parse_samples(
      "searchsync_worker_binding_halted{binding=\"bug\"} 1\n"
      "searchsync_worker_binding_halted{binding=\"run\"} 0\n"
      "searchsync_worker_lag_seconds{stage=\"fold\"} 1.5\n"
      "searchsync_worker_lag_seconds{stage=\"route\"} 0.5\n"
      "searchsync_worker_rows_total{binding=\"bug\"} 10\n"
      "searchsync_capture_snapshot_complete{table=\"public.a\"} 1\n"
      "searchsync_capture_snapshot_complete{table=\"public.b\"} 0\n");
  plan::ObservedWorkload workload;
  double rows = 0;
  const std::string reasons = "binding bugs: other\nbinding bug: too many\nelasticsearch: away";
  add_samples(samples, reasons, workload, rows);
  add_samples(samples, reasons, workload, rows);
  EXPECT_EQ(workload.halts, (std::map<std::string, std::string>{{"bug", "too many"}}));
  EXPECT_EQ(workload.lag_seconds, 1.5);
  EXPECT_EQ(rows, 20);
  EXPECT_TRUE(workload.snapshot_complete.at("public.a"));
  EXPECT_FALSE(workload.snapshot_complete.at("public.b"));
}

TEST(Samples, WhatNoCounterCanCountIsNothing) {
  for (const char* value : {"NaN", "+Inf", "-Inf", "1e300", "-1"}) {
    const auto samples =
        parse_samples(fmt::format("searchsync_worker_rows_total{{binding=\"bug\"}} {}\n"
                                  "searchsync_worker_rows_total{{binding=\"run\"}} 2\n",
                                  value));
    plan::ObservedWorkload workload;
    double rows = 0;
    add_samples(samples, "", workload, rows);
    EXPECT_EQ(rows, 2) << value;
  }
}

}  // namespace
}  // namespace searchsync::control
