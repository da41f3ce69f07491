"""All that a plugin imports. Standard library only, so that an isolated child needs nothing else."""

from hotbay_sdk.plugin import Context, Database, context, cron, every, filters, on, service

__all__ = ["Context", "Database", "context", "cron", "every", "filters", "on", "service"]
