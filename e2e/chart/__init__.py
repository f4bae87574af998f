"""The chart, and the manifests made from it."""
