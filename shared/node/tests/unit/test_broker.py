"""What the embedded broker is given."""

from node.embedded.broker import cluster_id


def test_a_cluster_id_never_looks_like_an_option() -> None:
    assert cluster_id(b"\xf8" * 15) == "APj4-Pj4-Pj4-Pj4-Pj4-A"
    assert all(not cluster_id(bytes([first]) * 15).startswith("-") for first in range(256))
    assert len(cluster_id(bytes(15))) == 22
