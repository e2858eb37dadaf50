"""A beating heart that writes DICOM: the open test bed of this project.

`population` draws people, `anatomy` and `motion` give them a heart, `acquisition` scans it,
`report` reads it, `dicom` writes it, `study` puts the pieces of one exam together.
Everything is a function of (seed, index).

A profile with habits exports as hospitals do: `takes` says what is scanned and scanned again,
`habits` puts it into series, `objects` into files with the truth of each frame, `export` writes them.
"""
