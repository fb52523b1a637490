"""One isolated Agent SDK session for each agent: its options, tools, hooks, transcript and result."""
