from .family import Backbone as Backbone
from .family import BackboneFamily as BackboneFamily
from .i3d.family import load_i3d as load_i3d
from .keras_weights import zero_initialisers as zero_initialisers
from .registry import backbone_names as backbone_names
from .registry import get_backbone as get_backbone
from .registry import register_backbone_family as register_backbone_family
from .registry import unregister_backbone_family as unregister_backbone_family
