"""Names and shapes of others' weights: which tensor of theirs holds which arrays of ours.

The published CMR-CLIP has 427 tensors: a space-time ViT under `video_model.`, BERT under
`text_model.`, two projections.  Each table is a bijection, so what comes in goes out bit for bit.
A ViT of timm has the names of the video tower (less those of time), a BERT those of the text tower.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from cmr_jax.config import Model, TextTower, TimeMixing, VideoTower

Arrays = tuple[np.ndarray, ...]
VIDEO, TEXT = "video_model.", "text_model."
# In the published file, but not in a ViT or a BERT: what time needs, and the way to the shared space.
TIME = ("timeattn.", "norm3.", "temporal_embed")


class Place(NamedTuple):
    """One array of ours: its path, and where blocks are a scan, which of how many layers."""

    path: str
    layer: int | None = None
    layers: int = 0


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of theirs: its name and shape, our places, and the way there and back."""

    name: str
    shape: tuple[int, ...]
    places: tuple["Place", ...]
    split: Callable[[np.ndarray], Arrays]  # theirs -> ours
    join: Callable[[Arrays], np.ndarray]  # ours -> theirs


def published(c: Model, patches: int) -> list[Entry]:
    """The whole table, in the order of the published file; `patches` of a frame."""
    return [
        *text_tower(c.text),
        *video_tower(c.video, patches),
        *_layer("txt_proj.1", Place("text/project"), c.text.width, c.embedding),
        *_layer("vid_proj.1", Place("video/project"), c.video.width, c.embedding),
    ]


def video_tower(c: VideoTower, patches: int) -> Iterator[Entry]:
    """Space-time ViT (timm's names)."""
    d, channels = c.width, len(c.pixel_mean)
    yield _reshaped(f"{VIDEO}cls_token", (1, 1, d), Place("video/cls"), (d,))
    yield Entry(
        f"{VIDEO}pos_embed",
        (1, patches + 1, d),
        (Place("video/cls_position"), Place("video/position")),
        lambda x: (x[0, 0], x[0, 1:]),
        lambda own: np.concatenate([own[0][None], own[1]])[None],
    )
    yield _reshaped(
        f"{VIDEO}temporal_embed",
        (1, c.index_frames, d),
        Place("video/frame/index"),
        (c.index_frames, d),
    )
    yield Entry(
        f"{VIDEO}patch_embed.proj.weight",
        (d, channels, c.patch, c.patch),
        (Place("video/stem/stem_0/kernel"),),
        lambda x: (x.transpose(2, 3, 1, 0).reshape(-1, d),),
        lambda own: own[0].reshape(c.patch, c.patch, channels, d).transpose(3, 2, 0, 1),
    )
    yield _same(f"{VIDEO}patch_embed.proj.bias", (d,), Place("video/stem/stem_0/bias"))
    for i in range(c.depth):
        # The last block is apart: after it only the clip's token is read.
        scanned = c.depth - 1
        theirs = f"{VIDEO}blocks.{i}"
        ours = Place("video/blocks", i, scanned) if i < scanned else Place("video/last")
        yield from _norm(f"{theirs}.norm1", under(ours, "norm_space"), d)
        yield from _fused(f"{theirs}.attn", under(ours, "space"), d, c.heads)
        if c.time is TimeMixing.MEAN:
            yield from _fused(f"{theirs}.timeattn", under(ours, "time"), d, c.heads, dead=True)
        else:
            yield from _fused(f"{theirs}.timeattn", under(ours, "time"), d, c.heads)
        yield from _norm(f"{theirs}.norm2", under(ours, "norm_mlp"), d)
        hidden = int(c.mlp_ratio * d)
        yield from _layer(f"{theirs}.mlp.fc1", under(ours, "mlp/up"), d, hidden)
        yield from _layer(f"{theirs}.mlp.fc2", under(ours, "mlp/down"), hidden, d)
        yield from _norm(f"{theirs}.norm3", under(ours, "norm_time"), d)
    yield from _norm(f"{VIDEO}norm", Place("video/norm"), d)


def text_tower(c: TextTower) -> Iterator[Entry]:
    """BERT (the names of transformers)."""
    d, rows, table = c.width, c.positions or c.length, f"{TEXT}embeddings."
    # A buffer that counts: files of transformers before 4.31 have it.
    count = np.arange(rows, dtype=np.int64)[None]
    yield Entry(f"{table}position_ids", (1, rows), (), lambda x: (), lambda own: count)
    yield _same(f"{table}word_embeddings.weight", (c.vocabulary, d), Place("text/token/embedding"))
    yield _same(f"{table}position_embeddings.weight", (rows, d), Place("text/position"))
    yield _same(f"{table}token_type_embeddings.weight", (c.segments, d), Place("text/segment"))
    yield from _norm(f"{table}LayerNorm", Place("text/norm_token"), d)
    for i in range(c.depth):
        theirs, ours = f"{TEXT}encoder.layer.{i}", Place("text/blocks", i, c.depth)
        for part in ("query", "key", "value"):
            yield from _to_heads(
                f"{theirs}.attention.self.{part}", under(ours, f"attention/{part}"), d, c.heads
            )
        out = under(ours, "attention/attention_out")
        yield from _from_heads(f"{theirs}.attention.output.dense", out, d, c.heads)
        yield from _norm(f"{theirs}.attention.output.LayerNorm", under(ours, "norm_attention"), d)
        hidden = int(c.mlp_ratio * d)
        yield from _layer(f"{theirs}.intermediate.dense", under(ours, "mlp/up"), d, hidden)
        yield from _layer(f"{theirs}.output.dense", under(ours, "mlp/down"), hidden, d)
        yield from _norm(f"{theirs}.output.LayerNorm", under(ours, "norm_mlp"), d)
    if c.pooler:
        yield from _layer(f"{TEXT}pooler.dense", Place("text/pooler"), d, d)


def under(place: Place, name: str) -> Place:
    """What lies under a place."""
    return place._replace(path=f"{place.path}/{name}")


def _same(name: str, shape: tuple[int, ...], place: Place) -> Entry:
    return Entry(name, shape, (place,), lambda x: (x,), lambda own: own[0])


def _reshaped(name: str, shape: tuple[int, ...], place: Place, ours: tuple[int, ...]) -> Entry:
    return Entry(
        name, shape, (place,), lambda x: (x.reshape(ours),), lambda own: own[0].reshape(shape)
    )


def _layer(name: str, place: Place, inside: int, outside: int) -> Iterator[Entry]:
    """A linear layer: theirs is (out, in), ours (in, out)."""
    yield Entry(
        f"{name}.weight",
        (outside, inside),
        (under(place, "kernel"),),
        lambda x: (x.T,),
        lambda own: own[0].T,
    )
    yield _same(f"{name}.bias", (outside,), under(place, "bias"))


def _norm(name: str, place: Place, d: int) -> Iterator[Entry]:
    yield _same(f"{name}.weight", (d,), under(place, "scale"))
    yield _same(f"{name}.bias", (d,), under(place, "bias"))


def _to_heads(name: str, place: Place, d: int, heads: int) -> Iterator[Entry]:
    """A layer whose outputs are heads: ours is (in, heads, head_width)."""
    yield Entry(
        f"{name}.weight",
        (d, d),
        (under(place, "kernel"),),
        lambda x: (x.T.reshape(d, heads, -1),),
        lambda own: own[0].reshape(d, d).T,
    )
    yield _reshaped(f"{name}.bias", (d,), under(place, "bias"), (heads, d // heads))


def _from_heads(name: str, place: Place, d: int, heads: int) -> Iterator[Entry]:
    """A layer whose inputs are heads: ours is (heads, head_width, out)."""
    yield Entry(
        f"{name}.weight",
        (d, d),
        (under(place, "kernel"),),
        lambda x: (x.T.reshape(heads, -1, d),),
        lambda own: own[0].reshape(d, d).T,
    )
    yield _same(f"{name}.bias", (d,), under(place, "bias"))


def _fused(name: str, place: Place, d: int, heads: int, dead: bool = False) -> Iterator[Entry]:
    """Queries, keys and values in one matrix.  `dead`: queries and keys are zeros and not kept."""
    parts = ("value",) if dead else ("query", "key", "value")

    def split(shape: tuple[int, ...], x: np.ndarray) -> Arrays:
        thirds = [third.T.reshape(shape) for third in np.split(x, 3)]
        if dead and any(third.any() for third in thirds[:2]):
            raise ValueError(
                f"{name}: queries and keys are not zero, so a mean is not the same. "
                "Use --config.model.video.time=attention."
            )
        return tuple(thirds[-len(parts) :])

    def join(shape: tuple[int, ...], own: Arrays) -> np.ndarray:
        thirds = [x.reshape(shape).T for x in own]
        return np.concatenate([np.zeros_like(thirds[0])] * (3 - len(parts)) + thirds)

    weight, bias = (d, heads, d // heads), (heads, d // heads)
    yield Entry(
        f"{name}.qkv.weight",
        (3 * d, d),
        tuple(under(place, f"{part}/kernel") for part in parts),
        functools.partial(split, weight),
        functools.partial(join, (d, d)),
    )
    yield Entry(
        f"{name}.qkv.bias",
        (3 * d,),
        tuple(under(place, f"{part}/bias") for part in parts),
        functools.partial(split, bias),
        functools.partial(join, (d,)),
    )
    yield from _from_heads(f"{name}.proj", under(place, "attention_out"), d, heads)
