"""Turn a folder of labelled videos into a trained, honest, fast, deployable classifier.

>>> import vidclass
>>> manifest = vidclass.Manifest.from_source("clips")           # doctest: +SKIP
>>> run = vidclass.train(manifest, "run", vidclass.run_config())  # doctest: +SKIP
>>> vidclass.Classifier.load(run.bundle).predict("new.mp4")     # doctest: +SKIP
"""

import lazy_loader

from vidclass.version import __version__ as __version__

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
