"""Logs, traces and metrics; what sends traces and metrics is imported only where they are asked for."""
