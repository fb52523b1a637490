"""The orchestrator as a service: an HTTP API over the queue that all workers share."""
