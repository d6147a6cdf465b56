"""What a deployment costs: see `sluice cost`."""
