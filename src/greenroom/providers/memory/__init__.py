"""The simulated twin: boots a Stack in memory, with faults on request."""
