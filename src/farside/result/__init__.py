"""What a cell left behind: values and output."""
