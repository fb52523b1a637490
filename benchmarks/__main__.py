"""`make bench`: what tools cost a model, starts, calls over HTTP, abuse, and a run's time outside the model."""

from . import abuse, calls, delegation, runs, servers

if __name__ == "__main__":
    servers.main()
    calls.main()
    abuse.main()
    runs.main()
    delegation.main()
