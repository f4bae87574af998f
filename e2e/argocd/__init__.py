"""Argo CD, as far as it runs scripts of ours."""
