"""Every figure of docs/performance.md comes from here. ``python -m benchmarks --help`` lists them."""
