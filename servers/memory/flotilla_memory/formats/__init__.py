"""Files of other memories as records, and records as files: one module for each format."""
