-- The end of suspend: what has happened meanwhile is caught up with.
obj.spec.suspend = false
return obj
