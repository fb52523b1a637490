"""What may be read and changed, wherever a call asks for it."""
