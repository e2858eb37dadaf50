"""The reading room: a web page that searches an index and shows hearts that beat."""
