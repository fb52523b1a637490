"""`make bench`: what tools cost a model, starts, calls over HTTP, telemetry, abuse, a run's time outside the model, the
service under load, retrieval, a large CRM, a cluster."""

from . import abuse, calls, crm_scale, delegation, k8s, runs, servers, service, sizing, telemetry
from .large import postgresql
from .retrieval import report, scale

LARGE = "1000000"  # memories, and contacts

if __name__ == "__main__":
    servers.main()
    calls.main()
    telemetry.main()
    abuse.main()
    runs.main()
    delegation.main()
    service.main([])
    sizing.main([])
    report.main([])
    for benchmark, size in ((scale, "--memories"), (crm_scale, "--contacts")):
        benchmark.main([size, LARGE])
        with postgresql() as url:
            if url is not None:
                benchmark.main([size, LARGE, "--database-url", url])
    k8s.main([])
