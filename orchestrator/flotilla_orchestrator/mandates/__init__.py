"""What a worker may do, as the claims of signed tokens: bounds, rules, scopes, guardrails; no server is called."""
