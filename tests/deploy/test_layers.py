"""Files of two images compared."""

from deploy.layers import File, differences

ONE = File(0o644, (0, 0), "", "digest", folder=False)


def test_every_difference_is_told() -> None:
    """A file that is only in one, or differs in mode, owner, link or content, is told with what differs."""
    first = {"same": ONE, "gone": ONE, "mode": ONE, "owner": ONE, "link": ONE, "held": ONE}
    second = {
        "same": ONE,
        "new": ONE,
        "mode": File(0o4755, (0, 0), "", "digest", folder=False),
        "owner": File(0o644, (1, 0), "", "digest", folder=False),
        "link": File(0o644, (0, 0), "elsewhere", "digest", folder=False),
        "held": File(0o644, (0, 0), "", "another", folder=False),
    }

    assert differences(first, second) == {
        "gone": "only in the first",
        "held": "digest",
        "link": "link",
        "mode": "mode",
        "new": "only in the second",
        "owner": "owner",
    }
    assert differences(first, first) == {}
