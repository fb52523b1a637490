"""Changes of the CRM, each once for its effect: in one transaction with the record of it, or not at all."""
