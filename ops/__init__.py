"""The operators' command `sluice`: it knows a deployed stack by its outputs and by AWS's API, and nothing else."""
