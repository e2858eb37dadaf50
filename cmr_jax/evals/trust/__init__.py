"""What a clinician must know beside how good: how sure, for whom, and where it fails."""
