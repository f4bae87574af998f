-- Which actions make sense now.
local status = obj.status or {}
local reindex = obj.spec.reindex or {}
local waiting = status.phase == "AwaitingApproval" and (status.desired or "") ~= ""

return {
  suspend = {disabled = obj.spec.suspend == true},
  resume = {disabled = obj.spec.suspend ~= true},
  reindex = {disabled = obj.spec.suspend == true},
  approve = {disabled = not waiting or reindex.approved == status.desired},
}
