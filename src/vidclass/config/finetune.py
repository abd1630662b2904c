"""Settings of fine-tuning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from vidclass.config.mirror import MirrorConfig


class FinetuneConfig(MirrorConfig):
    """Settings of training the last layers of a backbone together with the head.

    `unfreeze`: a whole number, the last blocks of the backbone and what follows them; a number
    between 0 and 1, that share of its layers with weights; or `all`.  Batch norms stay as they are.
    `batch_size`: clips a step.  `micro_batch`: clips computed at a time on each device; gradients
    are summed over as many of these as a step needs, so that memory follows `micro_batch`.
    `learning_rate`: the peak rate of the head.  `backbone_rate`: the last block's, as a share of
    it; every block below that has `layer_decay` times the rate of the one above (discriminative
    fine-tuning, Howard and Ruder 2018).
    `warmup`: the share of all steps in which the rates rise; then they fall along half a cosine.
    `patience`: epochs without a better validation loss after which training stops.
    `jitter`: draw other frames each epoch, one from each equal part of the clip.
    `flip`: mirror half of the clips of each epoch.
    `remat`: recompute the backbone's activations in the backward pass, one frame of each clip at a
    time (gradient checkpointing): less memory, more time.
    `mixed_precision`: `auto` computes in bfloat16 on a GPU alone.
    `checkpoint_s`: seconds of work that a kill may cost.
    """

    unfreeze: int | float | Literal["all"] = 4
    epochs: Annotated[int, Field(ge=1)] = 10
    patience: Annotated[int, Field(ge=1)] | None = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    micro_batch: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    backbone_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    balance_classes: bool = True
    jitter: bool = True
    remat: bool = False
    mixed_precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    checkpoint_s: Annotated[float, Field(ge=0)] = 60.0
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _read_unfreeze(cls, value: Any) -> Any:
        """Parse numbers that are given as text."""
        number = value
        if isinstance(value, str) and value != "all":
            try:
                number = float(value) if "." in value else int(value)
            except ValueError:
                number = None
        blocks = isinstance(number, int) and not isinstance(number, bool) and number >= 1
        share = isinstance(number, float) and 0 < number < 1
        if not (number == "all" or blocks or share):
            raise ValueError("give 'all', a number of blocks from 1 on, or a share such as 0.3")
        return number
