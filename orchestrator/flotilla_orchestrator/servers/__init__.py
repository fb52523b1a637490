"""The fleet of MCP servers: started, reached, and given mandates."""
