"""The config folder: the models of its files, reading, and checks."""
