"""What the controllers of a cluster do after a change, simulated."""
