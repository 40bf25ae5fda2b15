"""What every mapping of a ``ModelProfile`` is made of: names with units, checked numbers, distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from tonnage.profile.quantiles import interpolated, nearest_rank, percentile_of, quantiles_of

SAMPLES_MAX: Final = 1000
"""Samples that a distribution keeps at most; more are thinned evenly, in order of size."""

_UNITS: Final = {"s": "seconds", "per_s": "per_second"}

Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=0)]
PerSecond = Annotated[float, Field(ge=0)]


def field_name(name: str) -> str:
    """``load_s`` as the document has it: ``loadSeconds``."""
    for unit, written in sorted(_UNITS.items(), key=lambda pair: -len(pair[0])):
        if name.endswith(f"_{unit}"):
            return str(to_camel(f"{name.removesuffix(unit)}{written}"))
    return str(to_camel(name))


def refusal(what: str) -> PydanticCustomError:
    """Makes the error that a check of ours raises: what must hold."""
    return PydanticCustomError("refused", "{what}", {"what": what})


class Part(BaseModel):
    """A mapping of the document: frozen, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=field_name,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Distribution(Part):
    """A measured quantity in the unit of the field that holds it."""

    count: Count | None = None
    """How many were measured; null where an import does not tell."""
    mean: Annotated[float, Field(ge=0)]
    """Arithmetic mean."""
    quantiles: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """By name (`p1` to `p99.9`), ascending; empty where only the mean is known."""
    samples: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """What was measured, ascending, where it is little enough to keep."""

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, quantiles: dict[str, float]) -> dict[str, float]:
        try:
            ordered = dict(sorted(quantiles.items(), key=lambda pair: percentile_of(pair[0])))
        except ValueError as error:
            raise refusal(str(error)) from None
        values = list(ordered.values())
        if any(left > right for left, right in zip(values, values[1:], strict=False)):
            raise refusal("must not fall from a quantile to a higher one")
        return ordered

    @field_validator("samples")
    @classmethod
    def _sorted(cls, samples: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if samples is not None and any(a > b for a, b in zip(samples, samples[1:], strict=False)):
            raise refusal("must be ascending")
        return samples

    @classmethod
    def of(cls, samples: Sequence[float], *, keep: bool = False) -> Distribution:
        """Summarise samples.

        Args:
            samples: At least one, each >= 0, in any order.
            keep: Whether to keep the samples themselves.
        """
        ordered = sorted(samples)
        step = -(-len(ordered) // SAMPLES_MAX)
        kept = tuple(ordered[::step]) if keep else None
        mean = sum(ordered) / len(ordered)
        return cls(count=len(ordered), mean=mean, quantiles=quantiles_of(ordered), samples=kept)

    def at(self, percentile: float) -> float:
        """The value at a percentile, between the kept ones on a straight line.

        Args:
            percentile: In (0, 100); beyond the outermost kept quantile its value holds.
        """
        if self.samples:
            return nearest_rank(self.samples, percentile)
        if not self.quantiles:
            return self.mean
        return interpolated({percentile_of(name): v for name, v in self.quantiles.items()}, percentile)
