"""Which study a line of archive.jsonl is about, told without parsing it: at 764 studies parsing all takes longer than a check."""

import re

KEY = re.compile(rb'"key":"[^/"]+/(?:studies|retired)/([^/"]+)/')


def study_of(line: bytes) -> str | None:
    """The study of a block's or a retired text's line; None of a world's, and of one that nothing here has written."""
    found = KEY.search(line)
    return found[1].decode() if found else None
