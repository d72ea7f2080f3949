"""Remote write 1.0 bodies, made by the stock protobuf library and not by our own code.

Source: prometheus/prompb remote.proto and types.proto (WriteRequest, TimeSeries, Label, Sample).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from app.domain.labels import Labels

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_KINDS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
}
_MESSAGES: Mapping[str, tuple[tuple[str, int, str, bool], ...]] = {
    "Label": (("name", 1, "string", False), ("value", 2, "string", False)),
    "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
    "TimeSeries": (("labels", 1, "Label", True), ("samples", 2, "Sample", True)),
    "WriteRequest": (("timeseries", 1, "TimeSeries", True),),
}


def _write_request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="test_remote_write.proto", package="test_rw", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, is_repeated in fields:
            field = message.field.add(name=field_name, number=number)
            field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
            if kind in _KINDS:
                field.type = _KINDS[kind]
            else:
                field.type = field.TYPE_MESSAGE
                field.type_name = f".test_rw.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test_rw.WriteRequest"))


WriteRequest = _write_request_class()


def write_body(series: Iterable[tuple[Labels, Iterable[tuple[int, float]]]]) -> bytes:
    """A compressed request of series with their samples (ms, value)."""
    request = WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in labels:
            one.labels.add(name=name, value=value)
        for ts_ms, value in samples:
            one.samples.add(value=value, timestamp=ts_ms)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
