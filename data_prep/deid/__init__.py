"""De-identification: keyed pseudonyms, text scrub, and nothing else leaves (PS3.15 Annex E)."""
