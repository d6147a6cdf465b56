"""The main use case on real records: write airports over HTTP, read them from the replica, and kill the primary in
between."""
