"""The name of pytest-relay-run; what it serves, `host serve` does."""
