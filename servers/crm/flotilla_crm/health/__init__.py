"""How an account is: an explained score, and signals that something is wrong."""
