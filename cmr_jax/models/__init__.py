"""The two towers.  Flax lives here and nowhere else; parameters leave as a plain nested dict."""
