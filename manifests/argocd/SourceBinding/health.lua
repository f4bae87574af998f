-- Of a SourceBinding.
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

health.message = status.message or ready.message
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  health.status = "Degraded"
elseif status.state == "Suspended" then
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = "Healthy"
elseif ready.status == "Unknown" then
  health.status = "Unknown"
end
return health
