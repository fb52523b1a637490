"""The database of runs: spans, transcripts, usage, artifacts, steering; lists, statistics and retention."""
