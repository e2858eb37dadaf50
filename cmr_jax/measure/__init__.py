"""Measurements of the heart: volumes, function, mass and wall thickness from masks and geometry."""
