"""Every draw has its own stream, the same one in every process."""

import itertools
import os
import subprocess
import sys

import pytest

from glitchmark import seeds

DRAWS = [
    (0, "subset"),
    (1, "subset"),
    (2**40, "subset"),
    (0, "batches"),
    (0, "subset", "digits"),
    (0, "subset", "wine"),
    (0, "subset", "digits", "mlp"),
    (0, "subset", "digitsmlp"),
    (0, "subset", "mlp", "digits"),
    (0, "subsetdigits"),
    (0, "digits", "subset"),
    (0, "subset", ""),
]


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(DRAWS, 2)))
def test_different_draws_have_different_streams(a, b):
    assert seeds.generator(*a).random(8).tolist() != seeds.generator(*b).random(8).tolist()
    assert seeds.integer(*a) != seeds.integer(*b)


@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_draw_repeats(draw):
    first = seeds.generator(*draw)
    first.random(100)  # a draw's position does not carry over to the next generator
    assert seeds.generator(*draw).random(8).tolist() == seeds.generator(*draw).random(8).tolist()
    assert seeds.integer(*draw) == seeds.integer(*draw)


def test_streams_of_many_cells_do_not_meet():
    drawn = [seeds.integer(seed, "batches", f"cell{cell}") for seed in range(20) for cell in range(50)]
    assert len(set(drawn)) == len(drawn)


def test_integers_suit_libraries():
    drawn = [seeds.integer(seed, "split") for seed in range(200)]
    assert min(drawn) >= 0
    assert 2**30 < max(drawn) < 2**31


def test_streams_do_not_depend_on_the_hash_seed():
    code = "from glitchmark import seeds; print(seeds.integer(3, 'glitch', 'digits', 'uniform', '0'))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert printed == {f"{seeds.integer(3, 'glitch', 'digits', 'uniform', '0')}\n"}
