"""The terminal: command line, prompt, scripts, and how results and errors look."""
