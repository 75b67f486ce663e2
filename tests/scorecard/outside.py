"""Models as other people hand them over, good and bad, for tests."""

import torch
from torch import nn


class Small(nn.Module):
    """A classifier of 8 px images in three channels."""

    def __init__(self, classes: int = 3, width: int = 4):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(width, classes)

    def forward(self, images):
        return self.fc(self.body(images))


def small() -> nn.Module:
    torch.manual_seed(0)
    return Small()


class Wrapped(nn.Module):
    """What a model gives, changed."""

    def __init__(self, change):
        super().__init__()
        self.inner, self.change = small(), change

    def forward(self, images):
        return self.change(self, images)


def _dims(model, images):
    images.add_(1)
    return model.inner(images)


def pair():
    return Wrapped(lambda self, images: (self.inner(images), images))


def maps():
    return Wrapped(lambda self, images: self.inner.body[0](images))


def nan():
    return Wrapped(lambda self, images: self.inner(images) * float("nan"))


def one():
    return Wrapped(lambda self, images: self.inner(images)[:, :1])


def random():
    return Wrapped(lambda self, images: self.inner(images) + torch.rand(1))


def greedy():
    return Wrapped(_dims)


def narrow():
    return Wrapped(lambda self, images: self.inner(images.reshape(-1, 3, 7, 7)))


def number():
    return 7


def failing():
    raise ValueError("no weights here")


def wide():
    return Small(width=6)


def detached():
    return Wrapped(lambda self, images: self.inner(images.detach()))
