"""What may be read of rights and works: frozen summaries, never rows."""
