"""How fast MariaDB changes a large table: `python -m bench.long_changes`.

The migration estimates from this how long loads would have to wait for a copy (`COPY_BYTES_PER_SECOND` in
`sluice.schema.alter`). The table and its indexes are larger than the buffer pool.
"""

import time

from bench import create_folder
from bench.loading.database import SCHEMA, BenchDatabase
from bench.results import is_short
from sluice.schema.alter import COPY_BYTES_PER_SECOND

ROWS, SHORT_ROWS = 1_000_000, 50_000
BUFFER_POOL_MB = 128
CHANGES = {
    "a copy: more digits": "MODIFY price DECIMAL(12,2), ALGORITHM=COPY, LOCK=SHARED",
    "a copy: a longer text": "MODIFY voucher MEDIUMTEXT, ALGORITHM=COPY, LOCK=SHARED",
    "an index, online": "ADD INDEX passenger (passenger), ALGORITHM=INPLACE, LOCK=NONE",
    "a column, instant": "ADD COLUMN later INT, ALGORITHM=INSTANT",
}


def measure_changes(database: BenchDatabase) -> dict[str, float]:
    """Bytes per second of each change, by the size that the server's statistics give."""
    rates = {}
    with database.connect() as connection, connection.cursor() as cursor:
        for name, change in CHANGES.items():
            cursor.execute("ANALYZE TABLE bookings")
            cursor.fetchall()
            cursor.execute(
                "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = %s "
                "AND table_name = 'bookings'",
                (SCHEMA,),
            )
            [(size,)] = cursor.fetchall()
            begin = time.perf_counter()
            cursor.execute(f"ALTER TABLE bookings {change}")
            seconds = time.perf_counter() - begin
            rates[name] = size / seconds
            print(f"{name}: {seconds:.1f} s for {size / 1e6:.0f} MB, {rates[name] / 1e6:.0f} MB/s")
    return rates


def main() -> None:
    with create_folder() as folder:
        database = BenchDatabase(folder, SHORT_ROWS if is_short() else ROWS, BUFFER_POOL_MB)
        try:
            database.start()
            rates = measure_changes(database)
        finally:
            database.servers.stop()
    slowest = min(rate for name, rate in rates.items() if name.startswith("a copy"))
    print(f"the slowest copy: {slowest / COPY_BYTES_PER_SECOND:.0f} times the rate of the estimate")
    assert slowest > COPY_BYTES_PER_SECOND


if __name__ == "__main__":
    main()
