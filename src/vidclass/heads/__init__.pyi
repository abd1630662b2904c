from .inputs import head_inputs as head_inputs
from .layers import masked_mean as masked_mean
from .registry import Head as Head
from .registry import build_head as build_head
from .registry import head as head
from .registry import heads as heads
from .registry import unregister_head as unregister_head
