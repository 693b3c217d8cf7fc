"""Products by themselves, in the layouts that couplings might have, for ``card.py``."""

import torch


def kernels(card):
    """Share of the rate of copying at which products read a matrix, by its layout."""
    yield from _whole_tiles(card)
    yield from _tall_factors(card)


def _row(card, what, n, read, ways):
    found = {name: card.median(way)["seconds"] for name, way in ways.items()}
    share = {name: card.copied(read / seconds) for name, seconds in found.items()}
    return {"what": what, "n": n, "seconds": found, "share_of_copy": share}


def _whole_tiles(card):
    """Two vectors times a matrix of 16 bits, as it is and with zeros up to whole tiles."""
    n = card.size(154_401, 801)
    padded = -(-n // 64) * 64
    whole = torch.zeros(padded, padded, dtype=torch.bfloat16, device=card.device)
    for part in whole[:n, :n].split(1024):
        part.normal_()
    x = card.random(2, padded).to(torch.bfloat16)
    x[:, n:] = 0
    ways = {"whole tiles": lambda: x @ whole.mT, "view": lambda: x[:, :n] @ whole[:n, :n].mT}
    yield _row(card, "product with bfloat16", n, 2 * n * n, ways)


def _tall_factors(card):
    """Two vectors times factors, and back, as columns and as rows."""
    n, rank = card.size(10**7, 10**4), 8
    columns, x = card.random(n, rank), card.random(2, n)
    rows, sums, out = columns.mT.contiguous(), card.random(2, rank), torch.empty_like(x)
    ways = {
        "gathered from columns": lambda: x @ columns,
        "gathered from rows": lambda: [torch.mv(rows, vector) for vector in x],
        "spread to columns": lambda: torch.mm(sums, columns.mT, out=out),
        "spread to rows": lambda: torch.mm(sums, rows, out=out),
    }
    yield _row(card, "products with factors", n, 4 * n * rank, ways)
