"""The operators' command `sluice`. It knows a deployed stack by its outputs and by the APIs of AWS only."""
