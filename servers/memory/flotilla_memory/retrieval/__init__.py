"""Search over passages: an inverted index in plain tables, candidates from it, and one ranking on every database."""
