"""Models over time, and the contract for heads of your own.

A head is a function that builds a Keras model, registered by a decorator:

>>> from vidclass.heads import head, head_inputs
>>> @head(causal=True, ordered=False)                               # doctest: +SKIP
... def peak(frames: int, width: int, classes: int) -> keras.Model:
...     inputs, features, mask = head_inputs(frames, width)
...     ...
>>> vidclass.run_config(head="peak")                                # doctest: +SKIP

`vidclass.testing.check_head` tests what every head must do.
"""

import lazy_loader

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
