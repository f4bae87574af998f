-- Of a SearchIndex. Reads what docs/resources.md calls conditions, as kstatus does, and says
-- Suspended where a person has to go on: spec.suspend, or an approval.
local health = {status = "Progressing", message = "the operator has not seen it yet"}
local status = obj.status or {}

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "is being deleted"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local function is_true(condition)
  return condition ~= nil and condition.status == "True"
end

health.message = status.message or ""
if is_true(conditions.Stalled) then
  health.status = "Degraded"
  health.message = conditions.Stalled.message
elseif status.phase == "Suspended" or status.phase == "AwaitingApproval" then
  health.status = "Suspended"
elseif is_true(ready) then
  health.status = "Healthy"
  health.message = ready.message
elseif ready.reason == "BindingHalted" then
  health.status = "Degraded"
  health.message = ready.message
elseif ready.status == "Unknown" then
  -- What is served is not known to be lost: the operator cannot reach the engine or Kafka.
  health.status = "Unknown"
end
return health
