"""The far side as typed calls: transports, spawning, commits, memory, deaths."""
