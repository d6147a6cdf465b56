"""What tests and benchmarks share. Nothing here is deployed."""
