"""What changes a cluster: the request of each change, how it is made once, and how it is found again."""
