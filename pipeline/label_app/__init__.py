"""An app for MONAI Label's server: the bundles as models that annotators ask, correct and train further.

The server runs in an environment of its own (`template/requirements.txt`), where MONAI Label is; nothing else of ctvol
imports it. :func:`write_label_app` needs no MONAI Label.
"""

from pipeline.label_app.writing import write_label_app

__all__ = ["write_label_app"]
