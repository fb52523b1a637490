"""Serving over streamable HTTP: the listener, what a caller may cost, and the audit of what MCP never sees."""
