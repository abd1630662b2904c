"""Which layers of a backbone are trained, and at what share of the head's rate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from vidclass.config import FinetuneConfig
from vidclass.errors import ConfigError

# Of a network whose layers name no blocks, each of so many equal parts counts as one.
PARTS = 10
# block3_expand_conv, block1a_se_reduce, block_5_project, conv2_block1_out, stage_0_block_2_...
_BLOCK = re.compile(r"^.*?block_?\d+[a-z]?(?=_|$)")


@dataclass(frozen=True)
class Stage:
    """Neighbouring layers that train at one rate; `is_block` where they are numbered as one."""

    layers: list[Any]
    is_block: bool


def stages(leaves: list[Any]) -> list[Stage]:
    """The layers with weights in their order, block by block.

    Layers before, between and after the blocks make stages of their own.  A network without named
    blocks is cut into ten equal parts.
    """
    weighted = [layer for layer in leaves if layer.weights]
    names = [_block_of(layer.name) for layer in weighted]
    if not any(names):
        count = min(PARTS, len(weighted))
        cuts = [round(index * len(weighted) / count) for index in range(count + 1)]
        pairs = zip(cuts, cuts[1:], strict=False)
        return [Stage(weighted[start:stop], is_block=True) for start, stop in pairs]
    found: list[tuple[str, list[Any]]] = []
    for name, layer in zip(names, weighted, strict=True):
        # Layers on two branches of one block need not stand side by side.
        place = next((stage for stage in found if name and stage[0] == name), None)
        if place is None:
            if not found or found[-1][0] != name:
                found.append((name, []))
            place = found[-1]
        place[1].append(layer)
    return [Stage(layers, is_block=bool(name)) for name, layers in found]


def unfreeze(leaves: list[Any], setting: float | str) -> list[Stage]:
    """Make the last layers trainable, as `FinetuneConfig.unfreeze` says, and all others not.

    Batch norms stay frozen wherever they are.

    Returns:
        The stages with layers to train, the last one first.

    Raises:
        ConfigError: there are not so many blocks.
    """
    found = stages(leaves)
    chosen = {id(layer) for layer in _chosen(found, setting)}
    for layer in leaves:
        layer.trainable = id(layer) in chosen
    return [stage for stage in reversed(found) if any(layer.trainable for layer in stage.layers)]


def _chosen(found: list[Stage], setting: float | str) -> list[Any]:
    layers = [layer for stage in found for layer in stage.layers if _can_train(layer)]
    if setting == "all":
        return layers
    if isinstance(setting, float):
        return layers[-math.ceil(setting * len(layers)) :]
    blocks = [index for index, stage in enumerate(found) if stage.is_block]
    if int(setting) > len(blocks):
        raise ConfigError(
            f"unfreeze={setting}: the backbone has {len(blocks)} blocks. Give at most that many, "
            "or 'all'."
        )
    first = blocks[-int(setting)]
    return [layer for stage in found[first:] for layer in stage.layers if _can_train(layer)]


def _can_train(layer: Any) -> bool:
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        return False
    # The mean and variance of a Normalization are weights that no training changes.
    layer.trainable = True
    return bool(layer.trainable_weights)


def rate_factors(variables: list[Any], trained: list[Stage], config: FinetuneConfig) -> list[float]:
    """The share of the head's rate for each of `variables`; the head's own have 1.

    Args:
        variables: Those that are trained.
        trained: The backbone's stages, the last one first.
        config: `backbone_rate` is the last stage's share; below, each has `layer_decay` of the
            share of the one above (Howard and Ruder, "Universal Language Model Fine-tuning for
            Text Classification", ACL 2018).
    """
    factors = {
        id(weight): config.backbone_rate * config.layer_decay**depth
        for depth, stage in enumerate(trained)
        for layer in stage.layers
        for weight in layer.trainable_weights
    }
    return [factors.get(id(variable), 1.0) for variable in variables]


def rate_at(step: int, total: int, *, highest: float, warmup: float) -> float:
    """The head's learning rate in a step, counted from 0: a rise, then half a cosine to zero.

    >>> [round(rate_at(step, 10, highest=1.0, warmup=0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    rising = round(warmup * total)
    if step < rising:
        return highest * (step + 1) / rising
    done = (step - rising) / max(total - rising, 1)
    return highest * 0.5 * (1 + math.cos(math.pi * done))


def _block_of(name: str) -> str:
    found = _BLOCK.match(name)
    return found.group() if found else ""
