"""The web console of `flotilla serve`: pages rendered on the server, for people who follow runs and decide about them."""
