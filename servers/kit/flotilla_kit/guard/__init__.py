"""What stands between a caller and a tool's body: visibility, limits, bounds, refusals, and a record of each call."""
