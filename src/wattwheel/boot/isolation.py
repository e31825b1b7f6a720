"""Whether this machine can wall in what the module configuration wants walled in."""

from __future__ import annotations

from wattwheel.drivers.linux.sandbox import LEVELS, Offer
from wattwheel.kernel.config import ModuleConfig
from wattwheel.model.errors import ConfigError


def check_isolation(module: ModuleConfig, offer: Offer) -> None:
    """Raise ConfigError for the first partition that must not be started at the level that `offer` makes."""
    for partition in module.partitions:
        if LEVELS.index(partition.isolation_min) > LEVELS.index(offer.level):
            reasons = "; ".join(offer.reasons)
            raise ConfigError(
                f"partition {partition.name} isolation_min",
                partition.isolation_min,
                f"up to {offer.level} on this machine ({reasons})",
            )
