"""One isolated Agent SDK session for each agent: what it is given, what it may call, how it ends."""
