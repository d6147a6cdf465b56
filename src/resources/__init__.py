"""What the service serves: one file per resource. Every module here is found and served; nothing else need change."""
