"""Alarms on errors and throttles of the functions."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.model import Alarm

API_FUNCTIONS = ("PostFunction", "PutFunction", "DeleteFunction", "GetFunction")
# A client or Firehose waits for each call of these.
AWAITED = (*API_FUNCTIONS, "TransformFunction")
# Only what lasts is reported of the others. Clients call these without a token, and no item depends on them.
_PUBLIC = ("FallbackFunction", "OpenApiFunction", "StatusFunction")
# The callers of these retry, or see the error.
_RETRIED = (
    "QuarantineFunction",
    "PlanFunction",
    "ReportFunction",
    "LeaseFunction",
    "HealthCheckFunction",
    "RebuildFunction",
    "RejectedWritesFunction",
)
# Of the workflow that proves a backup.
_PROVING = ("ProofFunction", "ProofInstanceFunction")


def _report_lasting_errors(function: str, effect: str, condition: str = "") -> Alarm:
    return Alarm(
        name=f"{function}ErrorsAlarm",
        says=f"{function} has failed for 15 minutes. {effect}",
        runbook=runbooks.FUNCTION_FAILS,
        watches=metrics.FUNCTION_ERRORS.of(function, "Sum", 300),
        periods=3,
        condition=condition,
    )


def _report_lasting_throttles(function: str, effect: str, condition: str = "") -> Alarm:
    return Alarm(
        name=f"{function}ThrottlesAlarm",
        says=f"{function} has been throttled for 15 minutes. {effect}",
        runbook=runbooks.FUNCTION_THROTTLED,
        watches=metrics.FUNCTION_THROTTLES.of(function, "Sum", 300),
        periods=3,
        condition=condition,
    )


ALARMS = (
    # A restart or a failover takes one to two minutes, and batches wait for it. Errors in three minutes of the clock
    # can be 61 seconds apart, those in five are at least 181. A batch is parked after 7.5 minutes at most.
    Alarm(
        name="LoadErrorsAlarm",
        says="Loads have failed for 5 minutes. The workflow retries them. Most likely the database is unavailable.",
        runbook=runbooks.DATABASE_UNAVAILABLE,
        watches=metrics.FUNCTION_ERRORS.of("LoadFunction", "Sum"),
        periods=5,
        reports_end=True,
    ),
    # Throttled loads are normal after an outage: the workflow waits until one of LoadConcurrency is free.
    Alarm(
        name="LoadThrottlesAlarm",
        says=(
            "Loads have waited for LoadConcurrency for an hour. More batches arrive than loads finish, so writes "
            "become visible later and later. Raise LoadConcurrency or BufferSeconds."
        ),
        runbook=runbooks.FUNCTION_THROTTLED,
        watches=metrics.FUNCTION_THROTTLES.of("LoadFunction", "Sum", 300),
        periods=12,
        reports_end=True,
    ),
    *(
        Alarm(
            name=f"{function}ErrorsAlarm",
            says=(
                f"{function} failed with an error that it does not handle, or ran out of time or memory. Clients get "
                "502; Firehose retries a transform. The function's log names the place of the error."
            ),
            runbook=runbooks.FUNCTION_FAILS,
            watches=metrics.FUNCTION_ERRORS.of(function, "Sum", 300),
        )
        for function in AWAITED
    ),
    *(
        Alarm(
            name=f"{function}ThrottlesAlarm",
            says=(
                f"{function} has used its whole reserved concurrency for 3 minutes, or the account's. Clients get 503 "
                "for the rest. Raise WriteConcurrency or ReadConcurrency, or request a higher limit from AWS."
            ),
            runbook=runbooks.FUNCTION_THROTTLED,
            watches=metrics.FUNCTION_THROTTLES.of(function, "Sum"),
            periods=3,
            reports_end=True,
        )
        for function in AWAITED
    ),
    *(
        _report_lasting_errors(function, "Clients get 502 from it. The function's log names the error.")
        for function in _PUBLIC
    ),
    *(
        _report_lasting_errors(
            function,
            "Workflows retry it and fail in the end. The function's log names the error; during an outage of the "
            "database it is an expected one.",
        )
        for function in _RETRIED
    ),
    *(
        _report_lasting_throttles(
            function,
            "Clients get 503 from it. More requests arrive than its reserved concurrency allows, or the account's is "
            "used up.",
        )
        for function in _PUBLIC
    ),
    *(
        _report_lasting_throttles(
            function,
            "Workflows retry it and fail in the end. More workflows or operators call it than its reserved concurrency "
            "allows, or the account's is used up.",
        )
        # The errors of a rotation have an alarm of their own.
        for function in (*_RETRIED, "RotateFunction")
    ),
    # A restore waits within the function, so that its waiting is no error for 10 minutes.
    _report_lasting_errors(
        "RestoreFunction",
        "The restore that runs retries it and fails in the end. The function's log names the error of RDS.",
        "Restorable",
    ),
    _report_lasting_throttles(
        "RestoreFunction",
        "The restore that runs retries it and fails in the end. The account's concurrency is used up.",
        "Restorable",
    ),
    *(
        _report_lasting_errors(
            function,
            "The proof of a backup retries it and fails in the end, and deletes the temporary instance. The function's "
            "log names the error of RDS or of the database.",
            "BackupsProven",
        )
        for function in _PROVING
    ),
    *(
        _report_lasting_throttles(
            function,
            "The proof of a backup retries it and fails in the end. The account's concurrency is used up.",
            "BackupsProven",
        )
        for function in _PROVING
    ),
)
