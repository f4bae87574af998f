-- Lets the index that is complete now take over, and no other.
local desired = obj.status ~= nil and obj.status.desired or ""
if desired == "" then
  error("there is no index to approve")
end
obj.spec.reindex = obj.spec.reindex or {}
obj.spec.reindex.approved = desired
return obj
