"""Load generators and benchmarks. They print tables; nothing here is a timed test."""
