"""OpenTelemetry traces over OTLP/HTTP, where the standard variables ask for them; else nothing of it is imported."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_DELAY, _DELAY_MS = "OTEL_BSP_SCHEDULE_DELAY", 1000  # what a process that is killed has not sent is lost
_MODULES = ("opentelemetry.sdk", "opentelemetry.exporter")


def traces_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says where traces go, and does not turn them off.

    Raises:
        SettingsError: what sends them is not installed.
    """
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    given = [name for name in _ENDPOINTS if environ.get(name)]
    if off or not given:
        return False
    if any(find_spec(module) is None for module in _MODULES):
        raise missing_extra(f"{given[0]} asks for traces")
    return True


def open_tracer_provider(service: str, id_generator: "IdGenerator | None" = None) -> "TracerProvider":
    """A provider whose spans are sent in batches by a thread; `shutdown` sends the rest and ends it.

    Sampling, limits, batches, headers and resource are what the `OTEL_…` variables say.

    Args:
        service: `service.name`, unless the environment has one.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from .. import __version__

    named = OTELResourceDetector().detect().attributes
    own = {"service.name": service, "service.version": __version__}
    resource = Resource.create({name: value for name, value in own.items() if name not in named})
    provider = TracerProvider(resource=resource, id_generator=id_generator, shutdown_on_exit=False)
    delay_ms = None if os.environ.get(_DELAY) else _DELAY_MS
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay_ms))
    return provider


def missing_extra(why: str) -> SettingsError:
    return SettingsError(
        f"{why}, and what sends them is not installed: install the extra `telemetry` of this package, "
        "such as flotilla-billing[telemetry]"
    )
