"""From shards to batches.  Grain lives here and nowhere else; the model is never imported."""
