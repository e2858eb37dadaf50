"""From loose instances to exams: stacks grouped and ordered by geometry and trigger time."""
