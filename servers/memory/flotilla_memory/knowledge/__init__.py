"""Search over a folder of Markdown documents: policies, templates, notes."""
