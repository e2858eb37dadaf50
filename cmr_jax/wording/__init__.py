"""Rules that read findings and numbers from the sentences of an impression, and say them otherwise.

Written from published case reports, not learned.  Training and search use what they find.
"""
