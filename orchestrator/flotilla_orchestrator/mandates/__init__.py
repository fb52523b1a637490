"""What a worker may do, as the claims of signed tokens: bounds, rules and scopes, decided without any server."""
