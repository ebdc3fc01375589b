"""Generated sessions whose state a small model knows, with everything going wrong at random."""
