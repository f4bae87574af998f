"""The operator as users install it, on a real Kubernetes."""
