"""AWS's JSON services, asked by a client that starts in a few milliseconds."""
