"""Files that the CRM imports and exports."""
