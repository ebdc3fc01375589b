"""What a Python program does with a session, besides running cells."""
