"""A study: arms that differ in what they are asked about, trained and judged alike."""

import dataclasses
import re

DATA = "{data}"  # in a change: the folder that the study learns from


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train: a config of `configs/`, and options of it that are changed."""

    name: str
    what: str  # for a person: what is different
    config: str  # as `cmr_jax.train --config` takes it
    changes: tuple[str, ...] = ()  # as "data.texts=1", each on top of the config
    seeds: int = 1
    beside: str = ""  # the arm that it is compared with, by the seeds that both have
    start: str = ""  # the arm whose run of the same seed gives the first weights
    whole: bool = False  # also few-shot, other wordings and missing views: for what is to be told


@dataclasses.dataclass(frozen=True)
class Curve:
    """One way to train, from more and more exams."""

    name: str
    points: tuple[tuple[int, str], ...]  # (exams, the arm that learned from so many)


@dataclasses.dataclass(frozen=True)
class Study:
    """Arms over the same data, in the order in which they are run and told."""

    name: str
    data: str  # how the data was prepared, for a person
    arms: tuple[Arm, ...]
    headline: tuple[str, ...] = ()  # arms that are told in full, each with what it stands beside
    curves: tuple[Curve, ...] = ()  # each in the order of exams

    def arm(self, name: str) -> Arm:
        """By its name; a ValueError if there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ValueError(f"study {self.name} has no arm {name!r}.")

    def check(self) -> None:
        """A ValueError where arms cannot be what they say."""
        names = [arm.name for arm in self.arms]
        for arm in self.arms:
            if names.count(arm.name) > 1 or not re.fullmatch(r"[a-z0-9_]+", arm.name):
                raise ValueError(
                    f"study {self.name}: an arm is called {arm.name!r}; names are of a-z, 0-9 and "
                    "_, each once."
                )
            for other in filter(None, (arm.beside, arm.start)):
                self.arm(other)
            if arm.start and names.index(arm.start) > names.index(arm.name):
                raise ValueError(f"study {self.name}: {arm.start} must stand before {arm.name}.")
            if wrong := [c for c in arm.changes if not re.match(r"[a-z_.0-9]+=", c)]:
                raise ValueError(f"study {self.name}: {wrong[0]!r} is no option=value.")
        for name in self.headline:
            if not self.arm(name).beside:
                raise ValueError(f"study {self.name}: the headline {name} stands beside nothing.")
        for _, name in (point for curve in self.curves for point in curve.points):
            self.arm(name)
