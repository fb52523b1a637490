"""Writes of the CRM's store: records with their versions and history, in the caller's transaction."""
