"""Pretrained networks from frames to features, and the contract for families of your own.

A family is a class that describes, builds and identifies its networks, registered by a decorator
in a module that can be imported by name (networks are built in child processes):

>>> from vidclass.backbones import Backbone, BackboneFamily, register_backbone_family
>>> @register_backbone_family                                       # doctest: +SKIP
... class Ours(BackboneFamily):
...     names = ("our_network",)
...     ...
>>> vidclass.run_config(features={"backbone": "our_network"})                     # doctest: +SKIP

`vidclass.testing.check_backbone` tests what every backbone must do.
"""

import lazy_loader

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
