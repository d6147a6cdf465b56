"""From a request to a write on the stream."""
