"""Data sets as frozen specs: what a network is trained on and tested with.

A spec says what the data are; ``load()`` returns the arrays.  Toy images are generated; MNIST and CIFAR-10 are found in a
folder or downloaded, and MNIST falls back on a small embedded subset; no data set is ever silently replaced by a smaller one.
"""

from harness.data.base import DataError, Dataset, DataShortfall, DataSpec
from harness.data.cifar10 import Cifar10
from harness.data.cifar10_files import cifar10_availability, raw_cifar10
from harness.data.grouped import GroupedLabels
from harness.data.mnist import Mnist
from harness.data.mnist_files import availability, raw_mnist
from harness.data.random_labels import RandomLabels
from harness.data.sources import RawImages, register_embedded
from harness.data.toy import ToyImages

__all__ = [
    "Cifar10",
    "DataError",
    "DataShortfall",
    "DataSpec",
    "Dataset",
    "GroupedLabels",
    "Mnist",
    "RandomLabels",
    "RawImages",
    "ToyImages",
    "availability",
    "cifar10_availability",
    "raw_cifar10",
    "raw_mnist",
    "register_embedded",
]
