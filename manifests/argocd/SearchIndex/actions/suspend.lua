-- Nothing is changed any more, and no worker runs; queries are still answered.
obj.spec.suspend = true
return obj
