"""What is told of a node's process that does not start."""

from pathlib import Path

from raysim_cluster.launch import end_of_log


def test_what_its_log_says_is_told_or_what_room_the_disk_has(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    assert end_of_log(log) == ""
    log.write_text("")
    assert end_of_log(log).startswith(f" Its log {log} is empty; its disk has ")
    log.write_text("One.\nTwo.\n")
    assert end_of_log(log) == " Its log ends with:\nOne.\nTwo.\n"
