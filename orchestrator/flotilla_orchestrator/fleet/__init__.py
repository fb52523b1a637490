"""The client side of the MCP servers: their processes, connections, tools, approvals, mandates and circuit breakers."""
