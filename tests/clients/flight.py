"""A Flight SQL client on pyarrow.flight. Usage: flight.py ADDRESS sql|prepared|tables
[STATEMENT].

Prints the rows as JSON, one a line. The commands are two-field protobuf messages, written here by
hand because pyarrow ships no Flight SQL.
"""

import json
import sys

import pyarrow
from pyarrow import flight


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(tag, value):
    return bytes([tag << 3 | 2]) + varint(len(value)) + value


def command(name, body):
    kind = f"type.googleapis.com/arrow.flight.protocol.sql.{name}".encode()
    return field(1, kind) + field(2, body)


def first_field(message):
    """The value of a message's first field, which is bytes shorter than 16 KiB."""
    length, start = message[1], 2
    if length > 0x7F:
        length, start = length & 0x7F | message[2] << 7, 3
    return message[start : start + length]


def prepare(statement):
    create = command("ActionCreatePreparedStatementRequest", field(1, statement))
    results = client.do_action(flight.Action("CreatePreparedStatement", create))
    # An Any whose second field is the result, whose first field is the handle.
    result = next(results).body.to_pybytes()
    kind = first_field(result)
    return first_field(first_field(result[result.index(kind) + len(kind) :]))


address, what = sys.argv[1], sys.argv[2]
client = flight.FlightClient(f"grpc://{address}")
if what == "sql":
    body = command("CommandStatementQuery", field(1, sys.argv[3].encode()))
elif what == "prepared":
    handle = prepare(sys.argv[3].encode())
    body = command("CommandPreparedStatementQuery", field(1, handle))
else:
    # Catalog, schema and name are not given; the types are what Grafana's plugin asks for.
    body = command("CommandGetTables", field(4, b"BASE TABLE") + field(4, b"table"))
info = client.get_flight_info(flight.FlightDescriptor.for_command(body))
assert len(info.endpoints) == 1, info.endpoints
table = client.do_get(info.endpoints[0].ticket).read_all()
assert table.schema.equals(info.schema), (table.schema, info.schema)
for number, column in enumerate(table.schema):
    if pyarrow.types.is_timestamp(column.type):
        # Python's own times end at microseconds.
        assert column.type.unit == "ns", column
        texts = table.column(number).cast(pyarrow.string())
        table = table.set_column(number, column.name, texts)
for row in table.to_pylist():
    print(json.dumps(row, default=str))
