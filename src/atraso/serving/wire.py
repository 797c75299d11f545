"""What goes over the wire: every public name of a request and an answer, and nowhere else.

The structs are decoded and encoded by msgspec and are the source of the OpenAPI document's schemas.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from atraso.artefact.manifest import AirportCard, GoldenFlight

BASIS_WORDS = Literal["auto", "schedule"]

Airline = Annotated[
    str,
    Meta(min_length=1, max_length=80, description="ICAO code, IATA code or name of the airline.", examples=["LAN"]),
]
FlightNumber = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=16,
        description="Flight number, with or without the airline's code.",
        examples=["282"],
    ),
]
Destination = Annotated[
    str,
    Meta(min_length=1, max_length=80, description="ICAO or IATA code of the destination.", examples=["SPJC"]),
]
ScheduledDeparture = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description=(
            "Scheduled departure, ISO 8601. Without an offset it is the local time of the airport of departure; "
            "with one it is converted."
        ),
        examples=["2017-07-14T08:30:00"],
    ),
]
Origin = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        description="ICAO or IATA code of the airport of departure; needed where the model covers several.",
        examples=["SCEL"],
    ),
]
Explain = Annotated[bool, Meta(description="Whether to give the reasons.")]
Basis = Annotated[
    BASIS_WORDS,
    Meta(description="`schedule` asks for the schedule's answer, whatever is known of the airport's state."),
]
AsOf = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="The moment of the prediction, ISO 8601, local to the airport without an offset; null is now.",
        examples=["2017-07-14T05:30:00"],
    ),
]


ActualDeparture = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="When the flight left, ISO 8601, read as scheduled_departure is; at most 12 h before it and 48 h "
        "after it, and not in the future.",
        examples=["2017-07-14T08:42:00"],
    ),
]
Cancelled = Annotated[bool, Meta(description="That the flight will not leave.")]
ReportedAt = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="When this was found out, ISO 8601, read as scheduled_departure is; null is now. Of several "
        "reports of a flight the one found out last is true.",
        examples=["2017-07-14T08:43:10Z"],
    ),
]


class FlightQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A flight, as known before it leaves."""

    airline: Airline
    flight_number: FlightNumber
    destination: Destination
    scheduled_departure: ScheduledDeparture
    origin: Origin | None = None


class FlightQuery(FlightQuestion, frozen=True, forbid_unknown_fields=True, gc=False):
    """A flight and how to answer, as the names of a query."""

    explain: Explain = False
    basis: Basis = "auto"
    as_of: AsOf | None = None


class PredictionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Flights to predict, and how."""

    flights: tuple[FlightQuestion, ...]
    explain: Explain = False
    basis: Basis = "auto"
    as_of: AsOf | None = None


class ModelName(msgspec.Struct, frozen=True, gc=False):
    """Which model answered."""

    airport: Annotated[str, Meta(description="ICAO code of the airport, or several joined by commas.")]
    version: str


class Exceeds(
    msgspec.Struct, frozen=True, gc=False, rename={"over_0": "0", "over_15": "15", "over_30": "30", "over_60": "60"}
):
    """Probability that the delay is more than 0, 15, 30 and 60 minutes."""

    over_0: float
    over_15: float
    over_30: float
    over_60: float


class Quantiles(msgspec.Struct, frozen=True, gc=False):
    """Delay in minutes not exceeded with probability 0.50, 0.80 and 0.95; negative is early."""

    p50: float
    p80: float
    p95: float


class ReasonAnswer(msgspec.Struct, frozen=True, gc=False):
    """One group's share of the answer."""

    group: str
    value: Annotated[str, Meta(description="What the group saw.")]
    effect: Annotated[float, Meta(description="Share in probability; with base_rate they add up to the answer.")]


class PredictionAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer for one flight."""

    id: Annotated[str, Meta(description="Unique and in order of time: 26 characters, in the form of a ULID.")]
    delay_probability: Annotated[
        float, Meta(description="Probability that the flight leaves more than 15 minutes late.")
    ]
    delayed: Annotated[bool, Meta(description="Whether the probability reaches the model's decision threshold.")]
    base_rate: Annotated[float, Meta(description="Share of the airport's departures that are delayed.")]
    basis: Annotated[
        str,
        Meta(
            description="`live` when the airport's state was used, `schedule` when there was none.",
            extra_json_schema={"enum": ["live", "schedule"]},
        ),
    ]
    lead: Annotated[str, Meta(description="Which of the model's leads answered.", examples=["schedule"])]
    exceeds: Exceeds
    minutes: Quantiles
    reasons: Annotated[tuple[ReasonAnswer, ...], Meta(description="Empty unless asked for with `explain`.")]
    warnings: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answers, one for each flight and in their order."""

    model: ModelName
    as_of: Annotated[str, Meta(description="The moment of the prediction, local to the airport, with its offset.")]
    predictions: list[PredictionAnswer]


class Place(msgspec.Struct, frozen=True):
    """One wrong place of a request."""

    pointer: Annotated[
        str, Meta(description="JSON Pointer (RFC 6901) into the body; for a query, a slash and the name.")
    ]
    detail: str


class DepartureReport(FlightQuestion, frozen=True, forbid_unknown_fields=True, gc=False):
    """What is reported of a flight: that it left, that it is cancelled, or neither: that it is scheduled."""

    actual_departure: ActualDeparture | None = None
    cancelled: Cancelled = False
    reported_at: ReportedAt | None = None


class DeparturesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reports of flights; all of them are taken, or none."""

    departures: tuple[DepartureReport, ...]


class StateVersion(msgspec.Struct, frozen=True):
    """How far the ledger's knowledge of departures has come."""

    version: Annotated[int, Meta(description="Rises with everything new.")]


class DeparturesAnswer(msgspec.Struct, frozen=True):
    """What became of reports; it is stored when it is answered."""

    received: int
    new: Annotated[int, Meta(description="How many reports told something that was not known.")]
    state: StateVersion
    warnings: Annotated[tuple[Place, ...], Meta(description="How reports were read where that was doubtful.")]


class ChallengeFlight(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"opera": "OPERA", "tipovuelo": "TIPOVUELO", "mes": "MES"},
):
    """A flight as the flight-delay challenge describes it."""

    opera: Annotated[str, Meta(max_length=80, description="Name of the airline.", examples=["Grupo LATAM"])]
    tipovuelo: Annotated[str, Meta(max_length=8, description="`N` national, `I` international.", examples=["N"])]
    mes: Annotated[int, Meta(ge=1, le=12, description="Month, 1 to 12.", examples=[3])]


class ChallengeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Flights in the challenge's form."""

    flights: tuple[ChallengeFlight, ...]


class ChallengeClasses(msgspec.Struct, frozen=True):
    """1 where a delay is predicted, 0 where none is, in the order of the flights."""

    predict: list[int]


class HealthAnswer(msgspec.Struct, frozen=True):
    """The challenge's word for a healthy service: OK."""

    status: str


class ReadyAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the service answers predictions, and with which model."""

    status: str
    model: ModelName
    detail: Annotated[str | None, Meta(description="Why a newer model is not used.")] = None


class ModelCard(msgspec.Struct, frozen=True):
    """The card of a model; rates, thresholds and scores are fractions."""

    airport: str
    version: str
    airports: tuple[AirportCard, ...]
    trained_from: str
    trained_to: str
    n_departures: int
    base_rate: float
    decision_threshold: float
    decision_reason: str
    leads: tuple[str, ...]
    thresholds_minutes: tuple[int, ...]
    scores: Annotated[dict[str, dict[str, float]], Meta(description="Scores per lead.")]
    scores_note: str
    checksum: Annotated[str, Meta(description="SHA-256 of the artefact's content.")]
    created_at: str
    golden: Annotated[
        tuple[GoldenFlight, ...],
        Meta(description="Made-up flights with the model's answers by the schedule; `atraso probe` asks them."),
    ]


class ModelList(msgspec.Struct, frozen=True):
    """The models at hand."""

    models: tuple[ModelCard, ...]


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Place, ...] | UnsetType = UNSET
