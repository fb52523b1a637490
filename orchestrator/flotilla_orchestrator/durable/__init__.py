"""Workflows that outlive their process: DBOS, the leases of executors, and the workflow store."""
