"""Reads of the CRM's store: what a caller sees of records, in pages."""
