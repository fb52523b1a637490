"""API servers: contexts of a kubeconfig, connections, kinds by discovery, and what their errors mean."""
