-- Builds the index anew, beside the one in service, though nothing of it has changed.
obj.spec.reindex = obj.spec.reindex or {}
obj.spec.reindex.revision = (obj.spec.reindex.revision or 0) + 1
return obj
