"""The method mixup of the job, for benchopt."""

import os
import sys

from benchopt import BaseSolver


class Solver(BaseSolver):
    name = "mixup"
    sampling_strategy = "run_once"
    parameters = {"lr": [0.02, 0.05, 0.1, 0.2], "seed": [0, 1, 2, 3, 4]}  # noqa: RUF012

    def set_objective(self, path):
        sys.path.insert(0, os.environ["JOB"])

    def run(self, _):
        from digits_job import train

        self.found = train("mixup", self.lr, self.seed)

    def get_result(self):
        return {"found": self.found}
