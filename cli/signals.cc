#include "cli/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/check.h"

namespace searchsync::cli {
namespace {

constexpr int kPollMs = 200;

}  // namespace

Signals::Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  CHECK(signals_ >= 0, "signalfd failed");
  thread_ = std::jthread([this](const std::stop_token& done) { wait(done); });
}

Signals::~Signals() {
  thread_ = {};
  ::close(signals_);
}

void Signals::wait(const std::stop_token& done) {
  while (!done.stop_requested()) {
    pollfd ready{.fd = signals_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kPollMs) <= 0) continue;
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) != sizeof info) continue;
    if (!stop_.request_stop()) ::_exit(128 + static_cast<int>(info.ssi_signo));
  }
}

Result<void> die_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return fail(ErrorCode::kCancelled, "the parent process has ended");
  return {};
}

}  // namespace searchsync::cli
