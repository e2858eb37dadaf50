"""What does not fit between a file of weights and a model, told by name."""

import dataclasses

SHOWN = 8


@dataclasses.dataclass
class Differences:
    """Names that one side lacks, and shapes that differ."""

    missing: list[str] = dataclasses.field(default_factory=list)  # the model has it, the file not
    unused: list[str] = dataclasses.field(default_factory=list)  # the file has it, the model not
    misshapen: list[str] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.unused or self.misshapen)

    def __str__(self) -> str:
        return "; ".join(
            f"{len(names)} {what}: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
            for what, names in vars(self).items()
            if names
        )

    def check(self, path: object, partial: bool) -> None:
        """ValueError where anything differs, unless a part is what was asked for."""
        if self and not partial:
            raise ValueError(
                f"{path} does not fit the model. {self}. Use --partial to take what fits and start "
                "the rest anew, if that is what you want."
            )
