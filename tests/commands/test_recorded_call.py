"""Python call that is recorded with a run."""

import inspect

from torch.nn import Linear

from skconv.commands.recorded_call import describe_call
from skconv.commands.train import train


def test_describe_call_omits_defaults(tmp_path):
    given = {name: each.default for name, each in inspect.signature(train).parameters.items()}
    assert describe_call(train, given) == "skconv.train()"
    given.update(source=tmp_path / "a.csv", device="cpu", out="there", seeds=3, image_size=(8, 9))
    expected = f"skconv.train({str(tmp_path / 'a.csv')!r}, seeds=3, image_size=(8, 9), out='there', device='cpu')"
    assert describe_call(train, given) == expected


def test_describe_call_names_a_network_of_ones_own():
    given = {name: each.default for name, each in inspect.signature(train).parameters.items()}
    assert describe_call(train, {**given, "source": "digits", "network": Linear}) == (
        "skconv.train('digits', network=Linear)"
    )
