"""The process of one contender: python -m bench.clients.child CONTENDER.

It prints the milliseconds of import and client, those of the first call after it (empty without an endpoint on
loopback), and the median microseconds of a warm call.
"""

import time

process_started = time.perf_counter()  # with as few imports before it as possible

import os  # noqa: E402
import sys  # noqa: E402

WARM_CALLS = 1000
RECORD = b'{"collection":"bookings","id":"0192f3a4-5b6c-7d8e-9f01-23456789abcd","data":{"passenger":"Ada Lovelace"}}\n'


def main() -> None:
    from bench.clients.contenders import CONTENDERS  # noqa: PLC0415

    create, _ = CONTENDERS[sys.argv[1]]
    put = create()
    import_ms = (time.perf_counter() - process_started) * 1000
    if not os.environ.get("AWS_ENDPOINT_URL"):
        print(import_ms)
        return
    started = time.perf_counter()
    put(RECORD)
    first_call_ms = (time.perf_counter() - started) * 1000
    times = []
    for _ in range(WARM_CALLS):
        started = time.perf_counter()
        put(RECORD)
        times.append(time.perf_counter() - started)
    print(import_ms + first_call_ms, sorted(times)[WARM_CALLS // 2] * 1e6)


if __name__ == "__main__":
    main()
