"""Where the digits lie, for benchopt."""

import os

from benchopt import BaseDataset


class Dataset(BaseDataset):
    name = "digits"

    def get_data(self):
        return {"path": os.environ["DIGITS"]}
