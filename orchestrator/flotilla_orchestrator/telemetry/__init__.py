"""Traces and metrics of runs and of the API, made of the journal's spans where they are asked for."""
