"""What a model is worth.  Evaluators get embeddings and labels as arrays, never the model."""
