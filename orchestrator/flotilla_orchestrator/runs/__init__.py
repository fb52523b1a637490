"""Runs of playbooks: a lead or steps, the agents with their retries, and what they wait for."""
