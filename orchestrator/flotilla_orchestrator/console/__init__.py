"""The web console of `flotilla serve`: pages rendered on the server, for people who follow and decide about runs."""
