"""Reads the lake's tables as other engines do, without asking the program.

    lake.py follow LAKE TABLE ID SECONDS   reads one table again and again while it is written and
                                           merged; ID is a column of which no two rows are alike.
                                           Ten times longer if it does not change meanwhile
    lake.py sums LAKE                      rows and sums of every table, by each engine

Prints JSON, one object a line.
"""

import json
import pathlib
import sys
import time

import deltalake
import duckdb
import polars

# An expression of a table's row that is summed: of integers, so that sums do not depend on order.
# Prime, so that a lost or doubled row is not lost in a round number.
MODULUS = 1_000_003
TIMES = {
    "metric_series": "time_ms",
    "metric_samples": "time_ms",
    "metric_histograms": "time_ms",
    "exemplars": "time_ms",
    "log_streams": "time_unix_nano",
    "logs": "time_unix_nano",
    "spans": "start_time_unix_nano",
}


def lazy(path, engine):
    """A table as a lazy frame of polars, read by `engine`."""
    if engine == "polars":
        return polars.scan_delta(path)
    table = deltalake.DeltaTable(path)
    return polars.from_arrow(table.to_pyarrow_dataset().to_table()).lazy()


def value():
    """The documented expression for a sample: a float, or a mantissa and an exponent of ten."""
    ten = polars.lit(10.0)
    exact = polars.col("value_mantissa").cast(polars.Float64) / ten.pow(polars.col("value_exponent"))
    return polars.coalesce(polars.col("value"), exact)


def follow(lake, table, key, seconds):
    path = str(lake / table)
    began = time.monotonic()
    reads, rows, versions, wrong = 0, 0, set(), []
    while (elapsed := time.monotonic() - began) < seconds or (
        len(versions) < 2 and elapsed < 10 * seconds
    ):
        engine = ["deltalake", "polars"][reads % 2]
        version = deltalake.DeltaTable(path).version()
        found = (
            lazy(path, engine)
            .select(polars.len().alias("rows"), polars.col(key).n_unique().alias("unique"))
            .collect()
            .row(0)
        )
        reads += 1
        versions.add(version)
        if found[0] != found[1]:
            wrong.append(f"{engine}, version {version}: {found[1]} of {found[0]} rows are unique")
        if found[0] < rows:
            wrong.append(f"{engine}, version {version}: {found[0]} rows after {rows}")
        rows = max(rows, found[0])
    print(json.dumps({"reads": reads, "rows": rows, "versions": len(versions), "wrong": wrong}))


def sums(lake):
    for engine in ["deltalake", "polars"]:
        for table, column in TIMES.items():
            if not (lake / table / "_delta_log").exists():
                continue
            chosen = [polars.len().alias("rows"), (polars.col(column) % MODULUS).sum().alias("times")]
            if table == "metric_samples":
                chosen.append(value().sum().alias("values"))
            frame = lazy(str(lake / table), engine)
            found = frame.select(chosen).collect().to_dicts()[0]
            # Every column can be read, not only those that are summed, and partitions are told.
            everything = frame.collect()
            assert everything.height == found["rows"], (table, everything.height)
            dates = everything["date"].dtype
            assert dates == polars.Date, dates
            found["tenants"] = sorted(everything["tenant"].unique().to_list())
            print(json.dumps({"engine": engine, "table": table, **found}))
    connection = duckdb.connect()
    try:
        connection.execute("INSTALL delta")
        connection.execute("LOAD delta")
        read = lambda path: f"delta_scan('{path}')"
        engine = "duckdb"
    except duckdb.Error as error:
        print(json.dumps({"engine": "duckdb", "missing": str(error).splitlines()[0]}))
        engine = "duckdb over deltalake"
        read = None
    for table, column in TIMES.items():
        path = lake / table
        if not (path / "_delta_log").exists():
            continue
        if read is None:
            connection.register("rows_of", deltalake.DeltaTable(str(path)).to_pyarrow_dataset())
        source = "rows_of" if read is None else read(path)
        chosen = f"count(*), sum({column} % {MODULUS})::BIGINT"
        if table == "metric_samples":
            chosen += ", sum(coalesce(value, value_mantissa::DOUBLE / power(10, value_exponent)))"
        found = connection.execute(f"SELECT {chosen} FROM {source}").fetchall()[0]
        answer = {"engine": engine, "table": table, "rows": found[0], "times": found[1]}
        if table == "metric_samples":
            answer["values"] = found[2]
        print(json.dumps(answer))


def main():
    command, lake = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "follow":
        follow(lake, sys.argv[3], sys.argv[4], float(sys.argv[5]))
    else:
        sums(lake)


main()
