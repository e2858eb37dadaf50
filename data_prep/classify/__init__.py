"""View and sequence of a stack from geometry, physics and words, with the evidence kept."""
