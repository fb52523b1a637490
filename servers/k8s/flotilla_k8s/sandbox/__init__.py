"""A small server of the Kubernetes API, for demonstrations and tests. It imports nothing of the MCP server's."""
