"""Networks, patch inference, training, evaluation, export, cohorts, phantoms and the command line of ctvol."""

import lazy_loader as _lazy

# Lazy, so that a bundle's one `$import pipeline` reaches every part and `ctvol --help` imports none.
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "bundle",
        "cohorts",
        "datasets",
        "dicomweb",
        "evaluation",
        "export",
        "inference",
        "inspection",
        "label_app",
        "networks",
        "phantom",
        "planning",
        "reports",
        "search",
        "tracking",
        "training",
        "weak_supervision",
    ],
)
