"""What can be read of rights and works."""
