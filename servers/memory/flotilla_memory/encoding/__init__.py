"""A local encoder: texts as vectors that are near each other where the texts mean alike. Nothing here at start-up."""
