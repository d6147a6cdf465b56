"""Which role may do what: the tables, and the names in them."""
