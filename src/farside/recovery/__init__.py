"""What brings a session back: the journal of its cells."""
