"""Measurements of the running nodes: latency, hours of operation, rendered drives."""
