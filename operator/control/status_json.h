#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/fault.h"
#include "operator/plan/plan.h"

namespace searchsync::control {

// What /status answers: processes, workloads, indices, bindings, faults.
std::string status_to_json(const plan::Observed& observed, const plan::Plan& plan,
                           const std::vector<model::Fault>& faults);

// The workloads of a status, as far as planning needs them. Errors: kMalformed.
Result<std::vector<plan::ObservedWorkload>> workloads_from_status(std::string_view json);

// A table for people of what /status answered. Errors: kMalformed.
Result<std::string> render_status(std::string_view json);

}  // namespace searchsync::control
