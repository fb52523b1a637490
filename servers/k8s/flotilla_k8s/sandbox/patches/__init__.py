"""How an object is changed: the patch formats, and who owns which of its fields."""
