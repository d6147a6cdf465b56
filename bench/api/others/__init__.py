"""What the functions made with frameworks share."""
