"""Changes to a cluster."""
