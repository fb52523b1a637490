"""What happened, in a database: runs and spans, lists and figures of them, and their retention."""
