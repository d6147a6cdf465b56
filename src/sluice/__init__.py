"""The REST service: one thin handler module per function over shared parts."""
