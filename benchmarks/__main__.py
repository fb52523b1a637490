"""`make bench`: what tools cost a model, starts, calls over HTTP, and a run's time outside the model."""

from . import runs, servers

if __name__ == "__main__":
    servers.main()
    runs.main()
