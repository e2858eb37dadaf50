"""The shelf: deterministic ArrayRecord shards, TFDS metadata, vocabulary, manifest."""
