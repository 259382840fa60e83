"""ConvNeXt and Swin: normalised over channels, scaled layers, shifted windows."""

import torch
from torch import nn

from .family import Family, images
from .layers import Classifier


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of images."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, images):
        return self.norm(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, images):
        hidden = self.norm(self.depthwise(images).permute(0, 2, 3, 1))
        hidden = self.project(nn.functional.gelu(self.expand(hidden)))
        return images + (self.scale * hidden).permute(0, 3, 1, 2)


def convnext(width):
    return Classifier(
        nn.Conv2d(3, width, 4, 4), ChannelNorm(width), ConvNeXtBlock(width),
        ChannelNorm(width), nn.Conv2d(width, 2 * width, 2, 2), ConvNeXtBlock(2 * width),
        channels=2 * width)


WINDOW = 4
HEADS = 4


class WindowAttention(nn.Module):
    """Attention within windows, with a bias that is looked up by relative position."""

    def __init__(self, width, shift):
        super().__init__()
        self.num_heads, self.head_dim, self.shift = HEADS, width // HEADS, shift
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn((2 * WINDOW - 1) ** 2, HEADS))
        places = torch.stack(torch.meshgrid(
            torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")).flatten(1)
        offsets = places[:, :, None] - places[:, None, :] + WINDOW - 1
        self.register_buffer("index", offsets[0] * (2 * WINDOW - 1) + offsets[1])

    def forward(self, images):
        batch, height, width, channels = images.shape
        if self.shift:
            images = torch.roll(images, (-self.shift, -self.shift), dims=(1, 2))
        rows, columns = height // WINDOW, width // WINDOW
        windows = images.view(batch, rows, WINDOW, columns, WINDOW, channels)
        windows = windows.permute(0, 1, 3, 2, 4, 5).reshape(-1, WINDOW * WINDOW, channels)
        qkv = self.qkv(windows).reshape(-1, WINDOW * WINDOW, 3, self.num_heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        bias = self.bias[self.index.view(-1)].view(WINDOW * WINDOW, WINDOW * WINDOW, -1)
        scores = query * self.head_dim ** -0.5 @ key.transpose(-2, -1) + bias.permute(2, 0, 1)
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2)
        windows = self.project(mixed.reshape(-1, WINDOW * WINDOW, self.num_heads * self.head_dim))
        images = windows.view(batch, rows, columns, WINDOW, WINDOW, channels)
        images = images.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)
        if self.shift:
            images = torch.roll(images, (self.shift, self.shift), dims=(1, 2))
        return images


class SwinBlock(nn.Module):
    def __init__(self, width, shift):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(width, shift)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, images):
        images = images + self.attention(self.attention_norm(images))
        return images + self.mlp(self.mlp_norm(images))


class Swin(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.Sequential(SwinBlock(width, 0), SwinBlock(width, WINDOW // 2))
        self.merge_norm = nn.LayerNorm(4 * width)
        self.merge = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(2 * width)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, images):
        images = self.blocks(self.patches(images).permute(0, 2, 3, 1))
        images = torch.cat([
            images[:, 0::2, 0::2], images[:, 1::2, 0::2],
            images[:, 0::2, 1::2], images[:, 1::2, 1::2]], dim=-1)
        images = self.norm(self.merge(self.merge_norm(images)))
        return self.head(images.mean(dim=(1, 2)))


FAMILIES = [
    Family("convnext", convnext, images(), 48, 16),
    Family("swin", Swin, images(), 64, 24),
]
