"""Everything that others may read of this room: frozen summaries, never rows."""
