"""Recurrent layers."""

from torch import nn

from .family import TOKENS, Family, tokens


class Recurrent(nn.Module):
    """Embeddings, two recurrent layers, and the last step to a linear layer."""

    def __init__(self, width, kind, bidirectional=False):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, width)
        self.layers = kind(
            width, width, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(2 * width if bidirectional else width, 10)

    def forward(self, indices):
        hidden, _ = self.layers(self.embedding(indices))
        return self.head(hidden[:, -1])


def lstm(width):
    return Recurrent(width, nn.LSTM)


def bidirectional_lstm(width):
    return Recurrent(width, nn.LSTM, bidirectional=True)


def gru(width):
    return Recurrent(width, nn.GRU)


FAMILIES = [
    Family("lstm", lstm, tokens(), 96, 32),
    Family("lstm-bidirectional", bidirectional_lstm, tokens(), 64, 16),
    Family("gru", gru, tokens(), 96, 24),
]
