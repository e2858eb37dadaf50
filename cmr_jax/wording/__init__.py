"""What the sentences of an impression say: findings that are there or are not, and numbers.

Rules, written from published case reports, not learned.  Training may use what they find; nothing
else ever needs it.
"""
