"""`make dev`: serve each change of the sources on the local stack within seconds."""
