"""Items as the replica has them."""
