"""The use cases on AWS: they decide over ports, in the process that was called (ADR 25)."""
