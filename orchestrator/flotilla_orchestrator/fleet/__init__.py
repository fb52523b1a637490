"""The MCP servers of the fleet as their client: started, reached, listed, asked for approvals."""
