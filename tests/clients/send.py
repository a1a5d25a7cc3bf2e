"""Sends what a small instrumented application would: a counter, a histogram, a log line and a
trace with an error, through the OpenTelemetry SDK as it comes.

Usage: send.py grpc|http ENDPOINT. Prints the trace's id in hex.
"""

import sys
import time

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint = sys.argv[1], sys.argv[2]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def exporter(kind, _signal):
        return kind(endpoint=endpoint, insecure=True)

else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def exporter(kind, signal):
        return kind(endpoint=f"{endpoint}/v1/{signal}")


resource = Resource.create({"service.name": "my-application"})

reader = PeriodicExportingMetricReader(exporter(OTLPMetricExporter, "metrics"), 3_600_000)
meters = MeterProvider(resource=resource, metric_readers=[reader])
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(exporter(OTLPSpanExporter, "traces")))
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(exporter(OTLPLogExporter, "logs")))

meter = meters.get_meter("my-meter")
count = meter.create_counter("otel_request_count", description="Requests")
duration = meter.create_histogram("otel_response_time_histogram", description="Response time")
tracer = tracers.get_tracer("my-tracer")
logger = loggers.get_logger("my-logger")

with tracer.start_as_current_span("GET /work") as root:
    count.add(1, {"via": protocol})
    duration.record(12.0, {"via": protocol})
    with tracer.start_as_current_span("query database") as child:
        child.set_attribute("db.system.name", "postgresql")
        child.record_exception(ValueError("no such table"))
        child.set_status(trace.StatusCode.ERROR, "no such table")
    logger.emit(
        body="Request processed",
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        attributes={"via": protocol},
    )
    print(format(root.get_span_context().trace_id, "032x"))
meters.force_flush()

# A rate needs two samples.
time.sleep(1.5)
count.add(4, {"via": protocol})
duration.record(200.0, {"via": protocol})
for provider in (meters, tracers, loggers):
    assert provider.force_flush(), "not everything was exported"
    provider.shutdown()
