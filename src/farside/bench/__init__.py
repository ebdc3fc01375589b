"""``farside bench``: what farside costs, with its peers beside it in the same run."""
