"""One file per experiment; each says what it costs and what it should reach."""
