"""The classifier that Lacan et al. judge synthetic profiles by."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.model_selection import train_test_split

#: Committed best values of their search for TCGA: units of the hidden layers, and the rest.
HIDDEN = (256, 16)
DROPOUT, LEARNING_RATE, SMOOTHING = 0.5, 3.46e-3, 0.1
BATCH, EPOCHS, PATIENCE = 2048, 150, 50
#: Share of the rows of each class that stops the training (their split is not published).
VALIDATION = 0.2


class PublishedNetwork:
    """Multilayer perceptron with two hidden layers and the hyper-parameters published for TCGA.

    Hidden layers of 256 and 16 units with dropout, Adam, cross-entropy with label smoothing and weights of classes in
    inverse proportion to their frequency; the weights of the lowest loss on a fifth of the rows given are kept (Lacan
    et al. 2024, committed configuration of the classifier).

    Parameters
    ----------
    seed : int
        Of the validation rows, initialisation, batches and dropout.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed % 2**32

    def fit(self, x: np.ndarray, y: np.ndarray) -> Self:
        """Fit to rows `x` (n × genes) of classes `y` (n,)."""
        import torch  # takes seconds to import, and only networks need it
        from torch import nn

        self.classes_, codes = np.unique(y, return_inverse=True)
        count = np.bincount(codes)
        seen, held_out = np.arange(len(x)), np.arange(len(x))
        fewest = max(2, len(count)) / VALIDATION
        if count.min() >= 2 and len(x) >= fewest:
            seen, held_out = train_test_split(seen, test_size=VALIDATION, stratify=codes, random_state=self.seed)
        weight = torch.as_tensor(len(codes) / (len(count) * count), dtype=torch.float32)
        data, target = torch.as_tensor(np.asarray(x), dtype=torch.float32), torch.as_tensor(codes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            sizes = (x.shape[1], *HIDDEN)
            layers: list[nn.Module] = []
            for a, b in zip(sizes, sizes[1:], strict=False):
                layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(DROPOUT)]
            self.body, head = nn.Sequential(*layers), nn.Linear(HIDDEN[-1], len(count))
            self.model = nn.Sequential(self.body, head)
            loss_of = nn.CrossEntropyLoss(weight, label_smoothing=SMOOTHING)
            optimiser = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)
            best, since, kept = np.inf, 0, {}
            for _ in range(EPOCHS):
                self.model.train()
                order = torch.as_tensor(seen)[torch.randperm(len(seen))]
                for rows in order.split(BATCH):
                    optimiser.zero_grad()
                    loss_of(self.model(data[rows]), target[rows]).backward()
                    optimiser.step()
                self.model.eval()
                with torch.no_grad():
                    loss = float(loss_of(self.model(data[held_out]), target[held_out]))
                since += 1
                if loss < best:
                    best, since = loss, 0
                    kept = {name: value.clone() for name, value in self.model.state_dict().items()}
                if since >= PATIENCE:
                    break
        if kept:
            self.model.load_state_dict(kept)
        self.model.eval()
        return self

    def features(self, x: np.ndarray) -> np.ndarray:
        """Units of the last hidden layer (n × 16) for rows `x` (n × genes)."""
        import torch

        with torch.no_grad():
            return self.body(torch.as_tensor(np.asarray(x), dtype=torch.float32)).double().numpy()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Classes (n,) of rows `x` (n × genes)."""
        import torch

        with torch.no_grad():
            return self.classes_[self.model(torch.as_tensor(np.asarray(x), dtype=torch.float32)).argmax(1).numpy()]
