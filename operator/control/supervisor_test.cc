// With a shell script in place of our executable: it says what it was given and does as its config
// says.

#include "operator/control/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "operator/control/notes_file.h"

namespace searchsync::control {
namespace {

// Waits for what other processes do; gives up only when something is wrong.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest()
      : directory_(std::filesystem::path(testing::TempDir()) /
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    const auto script = directory_ / "child";
    EXPECT_TRUE(write_file(script,
                           "#!/bin/sh\n"
                           "while [ $# -gt 0 ]; do case $1 in --config) c=$2;; "
                           "--address-file) a=$2;; --listen) l=$2;; esac; shift; done\n"
                           "echo $l >> ${0%/child}/listens\n"
                           "echo started\n"
                           "case $(cat $c) in\n"
                           "exit) echo searchsync: no way in >&2; exit 3;;\n"
                           "stubborn) trap '' TERM;;\n"
                           "esac\n"
                           "mkfifo $a.fifo; echo 127.0.0.1:1 > $a\n"
                           "while :; do read -r x < $a.fifo; done\n"));
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  }

  SupervisorOptions options() const {
    return {.executable = directory_ / "child",
            .state_dir = directory_ / "state",
            .secrets = directory_ / "secrets",
            .stop_grace = std::chrono::milliseconds(200)};
  }

  static plan::Workload workload(std::string config, std::string hash) {
    return {.name = "w",
            .role = plan::Role::kWorker,
            .owner = "default/a",
            .replicas = 1,
            .config = std::move(config),
            .hash = std::move(hash)};
  }

  const std::filesystem::path directory_;
};

TEST_F(SupervisorTest, StartsReplacesAndRemoves) {
  Supervisor supervisor(options());
  ASSERT_TRUE(supervisor.ensure(workload("run", "1")));
  ASSERT_TRUE(eventually([&] { return !supervisor.groups()[0].processes[0].address.empty(); }));
  const auto first = supervisor.groups()[0].processes[0].pid;
  ASSERT_TRUE(supervisor.ensure(workload("run", "1")));
  EXPECT_EQ(supervisor.groups()[0].processes[0].pid, first);
  ASSERT_TRUE(supervisor.ensure(workload("run", "2")));
  EXPECT_NE(supervisor.groups()[0].processes[0].pid, first);
  EXPECT_EQ(::kill(first, 0), -1);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "state/state/w/0"));
  ASSERT_TRUE(supervisor.remove("w"));
  EXPECT_TRUE(supervisor.groups().empty());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "state/state/w"));
}

TEST_F(SupervisorTest, QueriesAreAnsweredWhereTheyWereBefore) {
  auto query = workload("run", "1");
  query.role = plan::Role::kQuery;
  const auto listens = [&] { return read_file(directory_ / "listens").value_or(""); };
  {
    Supervisor supervisor(options());
    ASSERT_TRUE(supervisor.ensure(query));
    ASSERT_TRUE(eventually([&] { return !supervisor.groups()[0].processes[0].address.empty(); }));
    EXPECT_EQ(listens(), "127.0.0.1:0\n");
    query.hash = "2";
    ASSERT_TRUE(supervisor.ensure(query));
    ASSERT_TRUE(eventually([&] { return !supervisor.groups()[0].processes[0].address.empty(); }));
    EXPECT_EQ(listens(), "127.0.0.1:0\n127.0.0.1:1\n");
  }
  Supervisor supervisor(options());
  query.config = "exit";  // as one that cannot listen there
  ASSERT_TRUE(supervisor.ensure(query));
  ASSERT_TRUE(eventually([&] {
    supervisor.tick();
    return listens().ends_with("127.0.0.1:1\n127.0.0.1:1\n127.0.0.1:0\n");
  })) << listens();
}

TEST_F(SupervisorTest, WhatEndsIsStartedAgainLater) {
  Supervisor supervisor(options());
  ASSERT_TRUE(supervisor.ensure(workload("exit", "1")));
  ASSERT_TRUE(eventually([&] {
    supervisor.tick();
    return !supervisor.groups()[0].processes[0].ended.empty();
  }));
  EXPECT_EQ(supervisor.groups()[0].processes[0].ended, "it exited with code 3: no way in");
  ASSERT_TRUE(eventually([&] {
    supervisor.tick();
    const auto log = read_file(directory_ / "state/logs/w.log").value_or("");
    return log.find("no way in\nstarted\n") != std::string::npos;
  }));
}

TEST_F(SupervisorTest, WhatDoesNotStopIsKilled) {
  pid_t child = 0;
  {
    Supervisor supervisor(options());
    ASSERT_TRUE(supervisor.ensure(workload("stubborn", "1")));
    ASSERT_TRUE(eventually([&] { return !supervisor.groups()[0].processes[0].address.empty(); }));
    child = supervisor.groups()[0].processes[0].pid;
  }
  EXPECT_EQ(::kill(child, 0), -1);
}

}  // namespace
}  // namespace searchsync::control
