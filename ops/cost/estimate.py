"""The cost of a month, component by component, from the template's resources and the price table."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.cost.canary import MEMORY_GIGABYTES, estimate_canary
from ops.cost.prices import PriceTable
from ops.cost.traffic import (
    HEALTH_CHECK_GIGABYTE_SECONDS,
    HOURS_PER_MONTH,
    SECONDS_PER_MONTH,
    RequestFigures,
    Traffic,
)
from ops.template import ResolvedTemplate

# States of one scheduled recovery that loads nothing: `recover` has 8, its replay 7. A start counts as a transition.
RECOVERY_TRANSITIONS = 8 + 7 + 2
RECOVERY_INVOCATIONS = 8
# One state and the start of `load_batch`.
BATCH_TRANSITIONS = 2
FIREHOSE_MINIMUM_BYTES = 5_000
RECORD_BYTES = 100 * 1024  # lines of one request are packed into records of this size
ENVELOPE_BYTES = 250  # of the record around an item
GIGABYTE = 1e9
# BatchesLoaded, LoadLag, WritesAccepted, WritesApplied, WritesRefused and WritesStale get values while nothing fails.
CUSTOM_METRICS = 6
PROOFS_PER_MONTH = HOURS_PER_MONTH / 24 / 7
PROOF_METRICS = 1  # BackupProofAge
# BatchesMissing gets a value from each scheduled recovery.
SCHEDULED_METRICS = 1


@dataclass(frozen=True)
class Component:
    """One line of the bill, in dollars a month.

    `idle` is due without any request, `steady` as soon as writes arrive all the time, however few. `writes` and `reads`
    grow with their number.
    """

    name: str
    idle: float = 0.0
    steady: float = 0.0
    writes: float = 0.0
    reads: float = 0.0

    @property
    def total(self) -> float:
        return self.idle + self.steady + self.writes + self.reads


class Estimate:
    """The estimate of one deployment. Raises UsageError when a price is missing."""

    def __init__(
        self, template: ResolvedTemplate, prices: PriceTable, traffic: Traffic, figures: RequestFigures | None = None
    ) -> None:
        self._template = template
        self._prices = prices
        self._traffic = traffic
        self._figures = figures or RequestFigures()
        self._canary = estimate_canary(template)
        self.components = [component for component in self._list_components() if component.total]

    @property
    def idle(self) -> float:
        return sum(component.idle for component in self.components)

    @property
    def steady(self) -> float:
        return sum(component.steady for component in self.components)

    @property
    def writes(self) -> float:
        return sum(component.writes for component in self.components)

    @property
    def reads(self) -> float:
        return sum(component.reads for component in self.components)

    @property
    def per_million_writes(self) -> float:
        return self.writes / self._traffic.writes * 1e6 if self._traffic.writes else 0.0

    @property
    def per_million_reads(self) -> float:
        return self.reads / self._traffic.reads * 1e6 if self._traffic.reads else 0.0

    @property
    def total(self) -> float:
        return sum(component.total for component in self.components)

    def _list_components(self) -> Iterator[Component]:
        yield self._estimate_instances()
        yield self._estimate_database_storage()
        yield self._estimate_read_cache()
        yield self._estimate_endpoints()
        yield self._estimate_firewall()
        yield self._estimate_sign_in()
        yield self._estimate_api()
        yield self._estimate_edge()
        yield self._estimate_functions()
        yield self._estimate_stream()
        yield self._estimate_batches()
        yield self._estimate_archive()
        yield self._estimate_recovery()
        yield self._estimate_heartbeat()
        yield self._estimate_backup_proof()
        yield self._estimate_secrets()
        yield self._estimate_alarms()
        yield self._estimate_logs()
        yield self._estimate_traces()
        yield self._estimate_canary()

    def _count(self, *types: str) -> int:
        return len(self._template.list_resources(*types))

    def _estimate_instances(self) -> Component:
        idle = sum(
            self._prices.get(instance["DBInstanceClass"]) * _count_copies(instance) * HOURS_PER_MONTH
            for instance in self._template.list_resources("AWS::RDS::DBInstance").values()
        )
        return Component("database", idle)

    def _estimate_database_storage(self) -> Component:
        idle = sum(
            float(instance["AllocatedStorage"]) * _count_copies(instance) * self._prices.get("database storage")
            for instance in self._template.list_resources("AWS::RDS::DBInstance").values()
        )
        return Component("database storage", idle)

    def _estimate_read_cache(self) -> Component:
        idle = sum(
            self._prices.get(cache["CacheNodeType"]) * cache["NumCacheClusters"] * HOURS_PER_MONTH
            for cache in self._template.list_resources("AWS::ElastiCache::ReplicationGroup").values()
        )
        return Component("read cache", idle)

    def _estimate_endpoints(self) -> Component:
        zones = sum(
            len(endpoint["SubnetIds"])
            for endpoint in self._template.list_resources("AWS::EC2::VPCEndpoint").values()
            if endpoint["VpcEndpointType"] == "Interface"
        )
        return Component("network endpoints", zones * self._prices.get("endpoint") * HOURS_PER_MONTH)

    def _estimate_firewall(self) -> Component:
        acls = list(self._template.list_resources("AWS::WAFv2::WebACL").values())
        rules = sum(len(acl["Rules"]) for acl in acls)
        idle = len(acls) * self._prices.get("web acl") + rules * self._prices.get("web acl rule")
        request = len(acls) * self._prices.get("web acl request")
        return Component("firewall", idle, 0.0, self._traffic.write_requests * request, self._traffic.reads * request)

    def _estimate_sign_in(self) -> Component:
        clients = self._template.list_resources("AWS::Cognito::UserPoolClient").values()
        machines = [client for client in clients if "client_credentials" in client["AllowedOAuthFlows"]]
        return Component("sign-in of machines", len(machines) * self._prices.get("machine client"))

    def _estimate_api(self) -> Component:
        size = self._template.parameters["ApiCacheSize"]
        idle = 0.0 if size == "off" else self._prices.get(f"api cache {size}") * HOURS_PER_MONTH
        request = self._prices.get("api request")
        return Component("API", idle, 0.0, self._traffic.write_requests * request, self._traffic.reads * request)

    def _estimate_edge(self) -> Component:
        request, transfer = self._prices.get("edge request"), self._prices.get("edge transfer") / GIGABYTE
        request += bool(self._count("AWS::CloudFront::Function")) * self._prices.get("edge function")
        write = request + self._figures.response_bytes * transfer
        read = request + (self._figures.response_bytes + self._traffic.item_bytes) * transfer
        return Component("edge", 0.0, 0.0, self._traffic.write_requests * write, self._traffic.reads * read)

    def _estimate_functions(self) -> Component:
        second = (
            self._prices.get(f"lambda {self._template.parameters['Architecture']}") * self._figures.function_gigabytes
        )
        request = self._prices.get("lambda request")
        writes = self._traffic.write_requests * (request + self._figures.write_seconds * second)
        loads = self._traffic.writes / self._figures.rows_per_second * self._figures.load_gigabytes / (
            self._figures.function_gigabytes
        )  # fmt: skip
        reads = self._traffic.reads * (request + self._figures.read_seconds * second)
        return Component("functions", 0.0, 0.0, writes + loads * second, reads)

    def _estimate_stream(self) -> Component:
        """Each record counts as a multiple of 5 KB; the lines of one request share records of 100 KiB."""
        size = self._traffic.item_bytes + ENVELOPE_BYTES
        lines_per_record = min(self._traffic.lines, max(1, RECORD_BYTES // size))
        record = math.ceil(size * lines_per_record / FIREHOSE_MINIMUM_BYTES) * FIREHOSE_MINIMUM_BYTES
        records = self._traffic.writes / lines_per_record
        return Component("stream", 0.0, 0.0, records * record / GIGABYTE * self._prices.get("firehose"))

    def _estimate_batches(self) -> Component:
        """One batch in each buffer interval while writes arrive, and more when they fill the buffer sooner."""
        size = self._traffic.item_bytes + ENVELOPE_BYTES
        by_size = self._traffic.writes * size / (self._template.number("BufferMegabytes") * 2**20)
        interval = max(1.0, self._template.number("BufferSeconds"))
        batches = min(self._traffic.writes, SECONDS_PER_MONTH / interval)
        backups = min(self._traffic.writes, SECONDS_PER_MONTH / self._template.number("BackupBufferSeconds"))
        # The batches that the canary causes anyway take writes along.
        batches = max(0.0, batches - self._canary.batches)
        backups = max(0.0, backups - self._canary.backups)
        batch, backup = self._price_batch(), self._prices.get("put object")
        steady = batches * batch + backups * backup
        full = max(0.0, by_size - batches) * batch + max(0.0, by_size - backups) * backup
        return Component("batches", 0.0, steady, full)

    def _price_batch(self) -> float:
        """A batch is one object, one event, one execution and one invocation each of transform and load."""
        second = self._prices.get(f"lambda {self._template.parameters['Architecture']}")
        return (
            BATCH_TRANSITIONS * self._prices.get("transition")
            + self._prices.get("put object")
            + self._prices.get("get object")
            + self._prices.get("event")
            + 2 * self._prices.get("lambda request")
            + self._figures.batch_seconds * self._figures.load_gigabytes * second
        )

    def _estimate_archive(self) -> Component:
        """Storage of this month's writes for a month: in the batches, and in the archive."""
        size = (self._traffic.item_bytes + ENVELOPE_BYTES) * self._figures.compression
        writes = 2 * self._traffic.writes * size / GIGABYTE * self._prices.get("storage")
        return Component("batches and archive", 0.0, 0.0, writes)

    def _estimate_recovery(self) -> Component:
        runs = SECONDS_PER_MONTH / 60 / self._template.number("RecoveryMinutes")
        run = RECOVERY_TRANSITIONS * self._prices.get("transition") + RECOVERY_INVOCATIONS * self._prices.get(
            "lambda request"
        )
        return Component("scheduled recovery", runs * run)

    def _estimate_heartbeat(self) -> Component:
        """An invocation and an object put each minute."""
        second = self._prices.get(f"lambda {self._template.parameters['Architecture']}")
        run = (
            self._prices.get("lambda request") + self._prices.get("put object") + HEALTH_CHECK_GIGABYTE_SECONDS * second
        )
        return Component("heartbeat", SECONDS_PER_MONTH / 60 * run)

    def _estimate_backup_proof(self) -> Component:
        """A copy of the primary in one zone for some hours of each week, and the function that reads it."""
        if self._template.parameters["BackupProof"] != "weekly":
            return Component("proof of backups")
        # Of an existing database the template has no class: these parameters stand in for those of its primary.
        hour = self._prices.get(self._template.parameters["DatabaseInstanceClass"])
        hour += self._template.number("DatabaseStorage") * self._prices.get("database storage") / HOURS_PER_MONTH
        second = self._prices.get(f"lambda {self._template.parameters['Architecture']}")
        proof = self._figures.proof_hours * hour + self._figures.proof_gigabyte_seconds * second
        idle = PROOFS_PER_MONTH * proof + PROOF_METRICS * self._prices.get("custom metric")
        return Component("proof of backups", idle)

    def _estimate_secrets(self) -> Component:
        idle = self._count("AWS::SecretsManager::Secret") * self._prices.get("secret")
        return Component("secrets and keys", idle + self._count("AWS::KMS::Key") * self._prices.get("key"))

    def _estimate_alarms(self) -> Component:
        alarms = self._template.list_resources("AWS::CloudWatch::Alarm").values()
        metrics = sum(_count_metrics(alarm) for alarm in alarms)
        idle = metrics * self._prices.get("alarm metric") + SCHEDULED_METRICS * self._prices.get("custom metric")
        idle += self._count("AWS::CloudWatch::CompositeAlarm") * self._prices.get("composite alarm")
        # It shows more than the 50 metrics of a free one.
        idle += self._count("AWS::CloudWatch::Dashboard") * self._prices.get("dashboard")
        custom = CUSTOM_METRICS * self._prices.get("custom metric")
        # The canary's writes give these metrics values too.
        if self._canary.runs:
            return Component("alarms, metrics and dashboard", idle + custom)
        return Component("alarms, metrics and dashboard", idle, custom if self._traffic.writes else 0.0)

    def _estimate_logs(self) -> Component:
        price = self._figures.log_bytes / GIGABYTE * self._prices.get("log")
        return Component("logs", 0.0, 0.0, self._traffic.write_requests * price, self._traffic.reads * price)

    def _estimate_traces(self) -> Component:
        price = self._figures.traced * self._prices.get("trace")
        return Component("traces", 0.0, 0.0, self._traffic.write_requests * price, self._traffic.reads * price)

    def _estimate_canary(self) -> Component:
        """Its runs, requests, tokens, batches and metrics; app client, secret and alarms are in their own lines."""
        canary, figures = self._canary, self._figures
        second = self._prices.get(f"lambda {self._template.parameters['Architecture']}")
        acls = self._count("AWS::WAFv2::WebACL") * self._prices.get("web acl request")
        request = self._prices.get("api request") + self._prices.get("edge request") + acls
        request += self._prices.get("lambda request") + figures.read_seconds * figures.function_gigabytes * second
        request += figures.log_bytes / GIGABYTE * self._prices.get("log")
        # With one at a time, X-Ray samples each run and each write. The reads ask for no trace.
        run = self._prices.get("lambda request") + 2 * self._prices.get("trace")
        idle = (
            canary.runs * (run + request + FIREHOSE_MINIMUM_BYTES / GIGABYTE * self._prices.get("firehose"))
            + canary.seconds * MEMORY_GIGABYTES * second
            + canary.reads * request
            + canary.tokens * self._prices.get("machine token")
            + canary.batches * self._price_batch()
            + canary.backups * self._prices.get("put object")
            + canary.metrics * self._prices.get("custom metric")
        )
        return Component("canary", idle)


def _count_copies(instance: dict[str, Any]) -> int:
    return 2 if str(instance.get("MultiAZ", "false")).lower() == "true" else 1


def _count_metrics(alarm: dict[str, Any]) -> int:
    if "Metrics" not in alarm:
        return 1
    return sum(1 for metric in alarm["Metrics"] if "MetricStat" in metric)
