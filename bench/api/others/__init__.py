"""What the functions on the frameworks share."""
