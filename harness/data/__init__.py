"""Data sets as frozen specs: what a network is trained on and tested with.

A spec says what the data are; ``load()`` brings the arrays.  Toy images are generated, MNIST is found in a
folder, downloaded, or taken from a small embedded subset, and never silently replaced by less.
"""

from harness.data.base import DataError, Dataset, DataShortfall, DataSpec
from harness.data.mnist import Mnist
from harness.data.mnist_files import RawImages, availability, raw_mnist
from harness.data.random_labels import RandomLabels
from harness.data.registry import register_embedded
from harness.data.toy import ToyImages

__all__ = [
    "DataError",
    "DataShortfall",
    "DataSpec",
    "Dataset",
    "Mnist",
    "RandomLabels",
    "RawImages",
    "ToyImages",
    "availability",
    "raw_mnist",
    "register_embedded",
]
