#include "lib/kube/lease_core.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::kube {

LeaseCore::LeaseCore(std::string identity, LeaseTimes times)
    : identity_(std::move(identity)), times_(times) {
  CHECK(!identity_.empty());
  CHECK(times_.renew_deadline * 3 <= times_.duration * 2, "the deadline is too near the duration");
  CHECK(times_.retry_period < times_.renew_deadline && times_.retry_period.count() > 0 &&
        times_.poll_period.count() > 0);
}

LeaseCore::Todo LeaseCore::next(Time now) const {
  if (now < act_) return Wait{act_};
  if (!sure_) return Look{};
  if (knowledge_ == Knowledge::kMissing) return Take{""};
  if (record_.holder == identity_ || record_.holder.empty()) return Take{record_.version};
  const auto patience = std::max<Time::duration>(
      times_.duration, std::min<Time::duration>(record_.duration, kDurationMax));
  if (now >= seen_ + patience) return Take{record_.version};
  return Look{};
}

void LeaseCore::on_seen(const std::optional<LeaseRecord>& record, Time now) {
  sure_ = true;
  act_ = now;
  if (!record) {
    knowledge_ = Knowledge::kMissing;
    record_ = {};
    leads_until_ = Time::min();
    return;
  }
  const bool is_new = knowledge_ != Knowledge::kRecord || record_.version != record->version;
  knowledge_ = Knowledge::kRecord;
  record_ = *record;
  if (is_new) seen_ = now;
  if (record_.holder == identity_) {
    // Written by a request whose answer was lost. It is written again: only an answered write says
    // until when we lead.
    if (is_new && may_have_created_ && !leads(now)) leads_from_ = now + times_.duration;
    return;
  }
  leads_until_ = Time::min();
  if (!record_.holder.empty()) act_ = now + times_.poll_period;
}

void LeaseCore::on_taken(const LeaseRecord& record, Time asked, Time now) {
  if (knowledge_ == Knowledge::kMissing) leads_from_ = now + times_.duration;
  knowledge_ = Knowledge::kRecord;
  record_ = record;
  sure_ = true;
  seen_ = asked;
  leads_until_ = asked + times_.renew_deadline;
  act_ = asked + times_.retry_period;
}

void LeaseCore::on_conflict(Time now) {
  sure_ = false;
  act_ = now + times_.poll_period / 10;
}

void LeaseCore::on_failed(Time now) {
  may_have_created_ = may_have_created_ || (sure_ && knowledge_ == Knowledge::kMissing);
  sure_ = false;
  act_ = now + (leads(now) ? times_.retry_period / 2 : times_.poll_period);
}

std::optional<std::string> LeaseCore::release(Time now) {
  leads_until_ = Time::min();
  if (knowledge_ != Knowledge::kRecord || record_.holder != identity_ || now < leads_from_) {
    return std::nullopt;
  }
  return record_.version;
}

}  // namespace searchsync::kube
