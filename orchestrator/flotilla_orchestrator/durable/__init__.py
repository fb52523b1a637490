"""Workflows that outlive their process: DBOS, the leases of executors, and what is kept of workflows."""
