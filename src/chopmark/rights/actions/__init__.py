"""What changes rights and works: one verb a module."""
