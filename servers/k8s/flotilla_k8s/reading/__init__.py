"""What the read tools find out of a cluster."""
