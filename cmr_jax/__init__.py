"""One embedding space for cardiac MRI exams and their reports."""

__version__ = "0.1.0"
