"""A scripted model in place of Claude, for tests and demos of applications on the Claude Agent SDK."""
