"""The config folder: what it may say, how it is read, what is wrong with it."""
