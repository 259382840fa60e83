"""Vision transformers, by how they make queries, keys and values and by how they attend."""

import torch
from torch import nn

from .family import Family, images

HEADS = 4


class FusedAttention(nn.Module):
    """One layer makes queries, keys and values; the product is spelled out."""

    def __init__(self, width):
        super().__init__()
        self.num_heads = HEADS
        self.head_dim = width // HEADS
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def attend(self, query, key, value):
        scores = (query * self.head_dim ** -0.5) @ key.transpose(-2, -1)
        return scores.softmax(dim=-1) @ value

    def forward(self, sequence):
        batch, length, _ = sequence.shape
        qkv = self.qkv(sequence).reshape(batch, length, 3, self.num_heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = self.attend(query, key, value)
        return self.project(mixed.transpose(1, 2).reshape(batch, length, -1))


class LibraryAttention(FusedAttention):
    """The same with PyTorch's own product."""

    def attend(self, query, key, value):
        return nn.functional.scaled_dot_product_attention(query, key, value)


class SeparateAttention(nn.Module):
    """A layer each for queries, keys and values."""

    def __init__(self, width):
        super().__init__()
        self.num_heads = HEADS
        self.head_dim = width // HEADS
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.project = nn.Linear(width, width)

    def forward(self, sequence):
        batch, length, _ = sequence.shape
        query, key, value = (
            layer(sequence).view(batch, length, self.num_heads, self.head_dim).transpose(1, 2)
            for layer in (self.query, self.key, self.value))
        scores = query @ key.transpose(-2, -1) / self.head_dim ** 0.5
        mixed = scores.softmax(dim=-1) @ value
        return self.project(mixed.transpose(1, 2).reshape(batch, length, -1))


class ModuleAttention(nn.Module):
    """PyTorch's own module."""

    def __init__(self, width):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)

    def forward(self, sequence):
        return self.attention(sequence, sequence, sequence, need_weights=False)[0]


class Block(nn.Module):
    def __init__(self, width, attention):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = attention(width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, sequence):
        sequence = sequence + self.attention(self.attention_norm(sequence))
        return sequence + self.mlp(self.mlp_norm(sequence))


class VisionTransformer(nn.Module):
    """Patches with a class token and positions, blocks, and the class token to a linear layer."""

    def __init__(self, width, attention):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 17, width))
        self.blocks = nn.Sequential(Block(width, attention), Block(width, attention))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        sequence = self.patches(images).flatten(2).transpose(1, 2)
        token = self.class_token.expand(sequence.shape[0], -1, -1)
        sequence = torch.cat([token, sequence], dim=1) + self.positions
        return self.head(self.norm(self.blocks(sequence))[:, 0])


def vision_transformer(attention):
    return lambda width: VisionTransformer(width, attention)


FAMILIES = [
    Family("vit-fused", vision_transformer(FusedAttention), images(), 96, 32),
    Family("vit-sdpa", vision_transformer(LibraryAttention), images(), 96, None),
    Family("vit-separate", vision_transformer(SeparateAttention), images(), 96, 32),
    Family("vit-mha", vision_transformer(ModuleAttention), images(), 96, 16),
]
