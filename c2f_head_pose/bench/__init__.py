"""Benchmarks: the networks on CPU and GPU, and each stage and the whole path on the CPU (`bench --path`)."""
