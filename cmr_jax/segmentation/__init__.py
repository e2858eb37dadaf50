"""Masks of the heart from pictures: inputs, training on random hearts, prediction."""
