"""What the harness raises when it cannot do its work."""


class ServersError(Exception):
    """An expected failure. Its text says what happened and what to do about it."""
