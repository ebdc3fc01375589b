"""What the user typed: cells, whether they are finished, and ``%`` commands."""
