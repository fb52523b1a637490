"""What sub-commands print, ask and take as arguments."""
