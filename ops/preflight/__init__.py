"""What a deploy needs, checked before it: see `sluice preflight`."""
