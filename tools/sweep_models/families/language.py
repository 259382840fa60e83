"""Language models after Llama: grouped queries, rotated positions, gated layers."""

import torch
from torch import nn

from .family import TOKENS, Family, tokens

HEADS = 4
GROUPS = 2


class RootMeanSquareNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, sequence):
        mean = sequence.pow(2).mean(dim=-1, keepdim=True)
        return self.weight * (sequence * torch.rsqrt(mean + 1e-5))


def rotate(heads, cosine, sine):
    """Turns each pair of one dimension of the first and one of the second half."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cosine + torch.cat([-second, first], dim=-1) * sine


def repeated(heads, times):
    """Every head as often as there are queries that share it, by broadcasting."""
    batch, groups, length, size = heads.shape
    heads = heads[:, :, None].expand(batch, groups, times, length, size)
    return heads.reshape(batch, groups * times, length, size)


def interleaved(heads, times):
    """The same as one operation."""
    return heads.repeat_interleave(times, dim=1)


class GroupedQueryAttention(nn.Module):
    def __init__(self, width, repeat):
        super().__init__()
        self.repeat = repeat
        self.num_heads, self.num_key_value_heads = HEADS, GROUPS
        self.head_dim = width // HEADS
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, GROUPS * self.head_dim, bias=False)
        self.v_proj = nn.Linear(width, GROUPS * self.head_dim, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def split(self, heads, count):
        batch, length, _ = heads.shape
        return heads.view(batch, length, count, self.head_dim).transpose(1, 2)

    def forward(self, sequence, cosine, sine, mask):
        query = rotate(self.split(self.q_proj(sequence), HEADS), cosine, sine)
        key = rotate(self.split(self.k_proj(sequence), GROUPS), cosine, sine)
        value = self.split(self.v_proj(sequence), GROUPS)
        key = self.repeat(key, HEADS // GROUPS)
        value = self.repeat(value, HEADS // GROUPS)
        scores = query @ key.transpose(2, 3) * self.head_dim ** -0.5 + mask
        mixed = scores.softmax(dim=-1) @ value
        batch, length, _ = sequence.shape
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class GatedLayers(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate_proj = nn.Linear(width, 3 * width, bias=False)
        self.up_proj = nn.Linear(width, 3 * width, bias=False)
        self.down_proj = nn.Linear(3 * width, width, bias=False)

    def forward(self, sequence):
        gate = nn.functional.silu(self.gate_proj(sequence))
        return self.down_proj(gate * self.up_proj(sequence))


class DecoderBlock(nn.Module):
    def __init__(self, width, repeat):
        super().__init__()
        self.input_norm = RootMeanSquareNorm(width)
        self.attention = GroupedQueryAttention(width, repeat)
        self.mlp_norm = RootMeanSquareNorm(width)
        self.mlp = GatedLayers(width)

    def forward(self, sequence, cosine, sine, mask):
        sequence = sequence + self.attention(self.input_norm(sequence), cosine, sine, mask)
        return sequence + self.mlp(self.mlp_norm(sequence))


class Llama(nn.Module):
    """`tied` uses the table of embeddings for the outputs as well."""

    def __init__(self, width, repeat=repeated, tied=False):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList(DecoderBlock(width, repeat) for _ in range(2))
        self.norm = RootMeanSquareNorm(width)
        self.head = nn.Linear(width, TOKENS, bias=False)
        if tied:
            self.head.weight = self.embedding.weight
        half = width // HEADS // 2
        frequencies = 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, indices):
        length = indices.shape[1]
        positions = torch.arange(length, dtype=torch.float32)
        angles = torch.outer(positions, self.frequencies)
        angles = torch.cat([angles, angles], dim=-1)
        mask = torch.full((length, length), -1e4).triu(1)
        sequence = self.embedding(indices)
        for block in self.blocks:
            sequence = block(sequence, angles.cos(), angles.sin(), mask)
        return self.head(self.norm(sequence))


def tied_llama(width):
    return Llama(width, tied=True)


def interleaved_llama(width):
    return Llama(width, interleaved)


FAMILIES = [
    Family("llama", Llama, tokens(), 96, 32),
    Family("llama-interleaved", interleaved_llama, tokens(), 96, None),
    Family("llama-tied", tied_llama, tokens(), 96, 16),
]
