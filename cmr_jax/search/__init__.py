"""A database of exams to ask in words or by another exam: an index on disk, queries, their evidence."""
