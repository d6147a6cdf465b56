"""The canary: an ordinary client that writes and reads through the public address, and measures the service levels."""
