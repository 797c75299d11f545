"""The name, kind and labels of every metric, and nowhere else.

Labels take their values from closed sets, so no client can add a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import product

from atraso.core.drift import GROUPS
from atraso.core.leads import LEADS

# Routes, as the label `route`; a path that is none of these counts as "other".
ROUTES = (
    "/v1/predictions", "/predict", "/v2/infer", "/v1/departures", "/v1/state", "/v1/model", "/v1/quality", "/health",
    "/metrics", "page", "other",
)  # fmt: skip


class Outcome(IntEnum):
    """What became of a request; the order is that of the label's values in `OUTCOMES`."""

    OK = 0
    CLIENT_ERROR = 1
    QUOTA_429 = 2
    SHED_503 = 3
    SERVER_ERROR = 4


OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)
# Upper bounds, in seconds. Every objective's threshold is one of them (docs/07-service.md).
LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
AUTHZ_BOUNDS = (0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.01)
TOKEN_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5)
LDAP_BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 1.5)
PROBABILITY_BOUNDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: what it is called, what it tells, and its labels with all their values."""

    name: str
    kind: str
    tells: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[tuple[str, ...], ...]:
        """Return the label values of each series."""
        return tuple(product(*(values for _, values in self.labels)))

    @property
    def width(self) -> int:
        """Return how many numbers a series takes: a histogram has its buckets, one beyond the last bound, and a sum."""
        return len(self.bounds) + 2 if self.kind == HISTOGRAM else 1


REQUESTS = Metric(
    "atraso_http_requests_total",
    COUNTER,
    "Requests answered, by route and outcome.",
    (("route", ROUTES), ("outcome", OUTCOMES)),
)
REQUEST_SECONDS = Metric(
    "atraso_request_seconds",
    HISTOGRAM,
    "Time from a request's last byte to its answer's being handed to the network, in seconds; of a request that was "
    "refused before it was whole, from its refusal.",
    (("route", ROUTES),),
    LATENCY_BOUNDS,
)
PROBABILITY = Metric(
    "atraso_prediction_probability",
    HISTOGRAM,
    "Probabilities of delay that were answered by /v1/predictions.",
    bounds=PROBABILITY_BOUNDS,
)
# What becomes of the answers that the ledger is promised: accepted = kept + shed, and kept = stored + set_aside + those
# queued (a gauge). Beside them stand refused, which were not given, and recovered, which an earlier run had kept.
ROW_STATES = ("accepted", "kept", "shed", "refused", "stored", "set_aside", "recovered")
LEDGER_ROWS = Metric(
    "atraso_ledger_rows_total",
    COUNTER,
    "Answers promised to the ledger: accepted, of which kept in a spool or shed; kept ones are stored, set aside or "
    "queued. Refused are those not given because they could not be kept, recovered those of an earlier run.",
    (("state", ROW_STATES),),
)
MODEL_SWAPS = Metric(
    "atraso_model_swap_total", COUNTER, "Changes of the model in use, by result.", (("result", ("ok", "failed")),)
)
DEPARTURES = Metric(
    "atraso_departures_total",
    COUNTER,
    "Reports sent to /v1/departures: new departures and cancellations, flights newly scheduled, what was known before, "
    "and what was refused.",
    (("result", ("new", "repeated", "scheduled", "refused")),),
)
# By which way somebody came in, or tried to; "none" where nothing usable was shown.
AUTHZ_KINDS = ("key", "jwt", "oidc", "basic", "mtls", "none")
AUTHZ_SECONDS = Metric(
    "atraso_authz_seconds",
    HISTOGRAM,
    "Time to find out whose a request is, in seconds, by what was shown and whether it was understood before (hit) or "
    "had to be proved (miss). Every check is counted; misses are timed each, and hits of keys and tokens by a sample: "
    "one a second is timed and stands for the others, because a clock would cost more than the look-up.",
    (("kind", AUTHZ_KINDS), ("cache", ("hit", "miss"))),
    AUTHZ_BOUNDS,
)
TOKEN_RESULTS = ("ok", "client_error", "quota_429", "server_error")
TOKEN_SECONDS = Metric(
    "atraso_token_seconds",
    HISTOGRAM,
    "Time that /v1/token took, in seconds, by result: a token, a wrong name or password, held back after failures, or "
    "a directory that could not be asked.",
    (("result", TOKEN_RESULTS),),
    TOKEN_BOUNDS,
)
# Servers by their place in ATRASO_LDAP_URL, told by host and port; all from the last place on count together.
LDAP_SERVERS = ("1", "2", "3", "4")
LDAP_OPS = ("connect", "bind", "whoami", "search")
LDAP_RESULTS = ("ok", "refused", "error")
LDAP_SECONDS = Metric(
    "atraso_ldap_seconds",
    HISTOGRAM,
    "Time of each step of a log-in at a server of the directory, in seconds; connect has the TLS handshake in it, "
    "refused is the server's no, error what kept it from answering.",
    (("server", LDAP_SERVERS), ("op", LDAP_OPS), ("result", LDAP_RESULTS)),
    LDAP_BOUNDS,
)
# Kept in shared memory, one slot a worker.
COUNTED = (
    REQUESTS, REQUEST_SECONDS, AUTHZ_SECONDS, TOKEN_SECONDS, LDAP_SECONDS, PROBABILITY, LEDGER_ROWS, MODEL_SWAPS,
    DEPARTURES,
)  # fmt: skip

WORKERS = Metric("atraso_workers", GAUGE, "Worker processes that are ready.")
MODEL_INFO = Metric(
    "atraso_model_info", GAUGE, "1 for the model in use.", (("version", ()), ("basis", ("schedule", "live")))
)
MODEL_CREATED = Metric(
    "atraso_model_created_timestamp_seconds", GAUGE, "When the model in use was made, in seconds since 1970."
)
DEPARTURE_NEWEST = Metric(
    "atraso_departure_newest_timestamp_seconds", GAUGE, "When the last departure left that was reported, since 1970."
)
STATE_AT = Metric(
    "atraso_state_timestamp_seconds", GAUGE, "Of which minute the state is that this worker answers from, since 1970."
)
STATE_VERSION = Metric("atraso_state_version", GAUGE, "Which reports are in that state: the ledger's version of them.")
LEDGER_STORED = Metric(
    "atraso_ledger_stored_total",
    COUNTER,
    "Answers that the writer moved into the database, also those that an earlier run had left.",
)
LEDGER_SET_ASIDE = Metric(
    "atraso_ledger_set_aside_total",
    COUNTER,
    "Records that cannot be stored and are kept beside, and files that end in something unreadable.",
    (("why", ("refused", "torn", "damaged")),),
)
LEDGER_ERRORS = Metric("atraso_ledger_errors_total", COUNTER, "Attempts of the writer that failed.")
LEDGER_FAILING = Metric(
    "atraso_ledger_failing", GAUGE, "1 while database or folder of the ledger cannot be used, or nobody writes to it."
)
LEDGER_QUEUED = Metric("atraso_ledger_queued_bytes", GAUGE, "What waits in the spools to be stored.")
LEDGER_QUEUED_ROWS = Metric(
    "atraso_ledger_queued_rows",
    GAUGE,
    "Answers that wait in the spools: kept, but neither stored nor set aside.",
)
LEDGER_UNFORCED = Metric(
    "atraso_ledger_unforced_seconds",
    GAUGE,
    "How long the oldest of what was kept waits to be forced to the disk, where that is done in batches.",
)
LEDGER_SIZE = Metric("atraso_ledger_database_bytes", GAUGE, "Size of the ledger's database.")
LEDGER_SUCCESS = Metric(
    "atraso_ledger_last_success_timestamp_seconds", GAUGE, "When the writer last had nothing wrong, since 1970."
)
# Told by the worker that is asked; those of the ledger only where it has a writer.
LEDGER = (
    LEDGER_STORED, LEDGER_SET_ASIDE, LEDGER_ERRORS, LEDGER_FAILING, LEDGER_QUEUED, LEDGER_QUEUED_ROWS, LEDGER_UNFORCED,
    LEDGER_SIZE, LEDGER_SUCCESS,
)  # fmt: skip
STATE = (DEPARTURE_NEWEST, STATE_AT, STATE_VERSION)
_BY_LEAD = (("lead", tuple(lead.name for lead in LEADS)),)
QUALITY_BRIER = Metric("atraso_quality_brier_score", GAUGE, "Brier score of the judged flights, by lead.", _BY_LEAD)
QUALITY_ECE = Metric(
    "atraso_quality_ece", GAUGE, "Calibration error of the judged flights (15 bins of equal mass), by lead.", _BY_LEAD
)
QUALITY_FLIGHTS = Metric("atraso_quality_judged_flights", GAUGE, "Flights that were judged, by lead.", _BY_LEAD)
QUALITY_MADE = Metric(
    "atraso_quality_made_timestamp_seconds", GAUGE, "When quality and drift were found last, in seconds since 1970."
)
DRIFT_PSI = Metric(
    "atraso_drift_psi",
    GAUGE,
    "Population stability index of the flights asked about against those the model was made of, by group.",
    (("group", GROUPS),),
)
DRIFT_ALARM = Metric(
    "atraso_drift_alarm", GAUGE, "1 where the index of a group is over its threshold.", (("group", GROUPS),)
)
# Absent until something was judged, and for leads and groups of which too little is known.
QUALITY = (QUALITY_BRIER, QUALITY_ECE, QUALITY_FLIGHTS, QUALITY_MADE, DRIFT_PSI, DRIFT_ALARM)
CHALLENGER_BEHIND = Metric(
    "atraso_challenger_behind_seconds",
    GAUGE,
    "Age of the oldest prediction that the challenger has still to answer, or how long ago it last found none.",
)
CHALLENGER_ANSWERS = Metric(
    "atraso_challenger_answers_total", COUNTER, "Answers of the challenger that the ledger was given."
)
# Absent where nothing shadows.
CHALLENGER = (CHALLENGER_BEHIND, CHALLENGER_ANSWERS)
TOLD = (WORKERS, MODEL_INFO, MODEL_CREATED, *STATE, *LEDGER, *QUALITY, *CHALLENGER)

METRICS = (*COUNTED, *TOLD)

# Of `atraso probe`, on a port of its own. Equal is good, and the others are not: an answer that differs, no answer, or
# one of a model whose golden answers are not at hand.
PROBE_RESULTS = ("equal", "different", "failed", "unknown_model")
PROBES = Metric(
    "atraso_probe_total",
    COUNTER,
    "Golden probes by result: the answers were the manifest's, differed from them, did not come, or were those of a "
    "model that is not at hand.",
    (("result", PROBE_RESULTS),),
)
PROBE_LAST = Metric("atraso_probe_last_timestamp_seconds", GAUGE, "When the last probe ended, in seconds since 1970.")
PROBER = (PROBES, PROBE_LAST)
