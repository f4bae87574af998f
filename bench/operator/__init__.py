"""The operator on a real API server, with many resources: `python3 -m bench operator`."""
