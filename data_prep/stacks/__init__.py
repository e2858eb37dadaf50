"""From loose images to stacks: grouped and ordered by geometry and trigger time."""
