"""Durable runs on DBOS: workflows, their queues, and what another process needs to go on. Nobody else knows DBOS."""
