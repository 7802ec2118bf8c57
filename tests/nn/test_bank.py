"""The bank keeps the last styles of each domain, gives only those, and comes back with the state."""

import torch

from dragoman.nn.bank import StyleBank

A, B = torch.eye(2)


def _style(*numbers):
    """Styles of two numbers, which say who they are."""
    return torch.tensor([[float(n), -float(n)] for n in numbers])


def _drawn(bank, code, count=200):
    """The first numbers of everything drawn."""
    styles = bank.draw(code.expand(count, -1), torch.Generator().manual_seed(0))
    assert torch.equal(styles[:, 1], -styles[:, 0])
    return set(styles[:, 0].tolist())


def test_each_domain_keeps_its_last_styles():
    bank = StyleBank(2, 3, 2)
    bank.put(_style(1, 2, 3, 4), torch.stack([A, B, A, A]))
    assert (_drawn(bank, A), _drawn(bank, B)) == ({1, 3, 4}, {2})
    bank.put(_style(5, 6, 7), torch.stack([A, B, A]))
    assert (_drawn(bank, A), _drawn(bank, B)) == ({4, 5, 7}, {2, 6})
    assert bank.count.tolist() == [5, 2]


def test_more_than_there_is_room_for_at_once():
    bank, once = StyleBank(2, 3, 2), StyleBank(2, 3, 2)
    labels = torch.stack([A] * 8 + [B])
    bank.put(_style(*range(1, 10)), labels)
    for number, label in enumerate(labels, 1):
        once.put(_style(number), label[None])
    assert torch.equal(bank.styles, once.styles) and torch.equal(bank.count, once.count)
    assert _drawn(bank, A) == {6, 7, 8}


def test_every_style_is_drawn_equally_often():
    bank = StyleBank(2, 4, 2)
    bank.put(_style(1, 2, 3, 4), B.expand(4, 2))
    styles = bank.draw(B.expand(4000, 2), torch.Generator().manual_seed(1))[:, 0]
    assert all(900 < (styles == number).sum() < 1100 for number in (1, 2, 3, 4))


def test_the_seed_decides():
    bank = StyleBank(2, 50, 2)
    bank.put(_style(*range(1, 51)), A.expand(50, 2))
    one, same, other = (bank.draw(A.expand(5, 2), torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_empty_places_give_zeros_only_where_there_is_nothing():
    bank = StyleBank(2, 3, 2)
    bank.put(_style(1), A[None])
    assert (_drawn(bank, A), _drawn(bank, B)) == ({1}, {0})


def test_what_is_in_several_domains_counts_for_the_first():
    bank = StyleBank(3, 3, 2)
    codes = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    bank.put(_style(1, 2), codes)
    assert bank.count.tolist() == [1, 1, 0]
    assert (_drawn(bank, codes[0]), _drawn(bank, codes[1])) == ({1}, {2})


def test_it_is_state_without_gradients():
    bank, again = StyleBank(2, 3, 2), StyleBank(2, 3, 2)
    bank.put(_style(1, 2).requires_grad_().bfloat16(), torch.stack([A, B]))
    assert not list(bank.parameters()) and not bank.styles.requires_grad and bank.styles.dtype == torch.float32
    again.load_state_dict(bank.state_dict())
    again.put(_style(3), A[None])
    assert (_drawn(again, A), _drawn(again, B)) == ({1, 3}, {2})
