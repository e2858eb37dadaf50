"""One study from its plan to its pictures: labelled stacks, repeats resolved, cropped and stored."""
