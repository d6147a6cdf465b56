"""What a person is told: each module puts one kind of result into lines."""
