"""A beating heart that writes DICOM: the open test bed of this project.

`population` draws people, `anatomy` and `motion` give them a heart, `acquisition` scans it,
`report` reads it, `dicom` writes it, `study` puts the pieces of one exam together.
Everything is a function of (seed, index).
"""
