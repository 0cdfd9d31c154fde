"""Modules as users write them, without knowledge of skconv."""

import torch
from torch import nn
from torch.nn import functional as F


class PlainNet(nn.Module):
    """A class with fixed shapes, an option and Tensor.view, which fails in the memory format channels_last."""

    def __init__(self, hidden=24):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8 * 6 * 6, hidden)
        self.output = nn.Linear(hidden, 4)

    def forward(self, images):
        features = F.relu(self.norm(self.conv(images)))
        return self.output(F.relu(self.hidden(features.view(features.size(0), -1))))


class SizedNet(nn.Module):
    """A class that accepts the number of channels and classes."""

    def __init__(self, in_channels, num_classes, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(in_channels, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, images):
        return self.head(self.layers(images))


class TinyTransformer(nn.Module):
    """Self-attention over the rows of an image, without convolutions."""

    def __init__(self, num_classes, dim=16):
        super().__init__()
        self.embed = nn.Linear(8, dim)
        self.position = nn.Parameter(torch.zeros(1, 8, dim))
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, images):
        tokens = self.embed(images.squeeze(1)) + self.position
        attended = F.scaled_dot_product_attention(self.query(tokens), self.key(tokens), self.value(tokens))
        return self.head(self.norm(tokens + attended).mean(1))


class Perceptron(nn.Module):
    """Flat rows in, probabilities out, as in skorch's MNIST example."""

    def __init__(self, hidden_dim=20, dropout=0.5):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(64, hidden_dim)
        self.output = nn.Linear(hidden_dim, 4)

    def forward(self, X, **kwargs):
        return F.softmax(self.output(self.dropout(F.relu(self.hidden(X)))), dim=-1)
