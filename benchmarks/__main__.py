"""`make bench`: what tools cost a model, starts, calls over HTTP, telemetry, abuse, a run's time outside the model, the
service under load, retrieval, a large CRM, a cluster."""

from . import abuse, calls, crm_scale, delegation, k8s, runs, servers, service, sizing, telemetry
from .retrieval import report, scale

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
    scale.main([])
    crm_scale.main([])
    k8s.main([])
