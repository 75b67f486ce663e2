"""How long a run still takes: jobs with predicted seconds laid on so many cores, corrected by how long finished ones took."""

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

TARGET = "all"  # the rule that asks for what all others make, and does nothing
MOST_DONE = 0.98  # share of a training whose epochs are all done: networks are still to be written
DOUBT = 20.0  # seconds of work as predicted that count beside what was seen, so that one short job does not sway the rest


EPOCH = re.compile(r"^\d\d:\d\d:\d\d (\S+) seed (\d+): epoch (\d+) of (\d+), loss ", re.MULTILINE)


class Epochs(NamedTuple):
    """What the log of a training says by now: epochs done, over all its networks and seeds, and the last line on one."""

    done: int
    last: str


def epochs_in(log: str) -> Epochs:
    """The epochs that a training's log tells of: of each network and seed the latest; none where it tells of none yet."""
    done: dict[tuple[str, str], int] = {}
    last = ""
    for recipe, seed, epoch, total in EPOCH.findall(log):
        done[recipe, seed] = int(epoch)
        last = f"{recipe} seed {seed}: epoch {epoch} of {total}"
    return Epochs(sum(done.values()), last)


@dataclass(frozen=True)
class Job:
    """One job of a run: its rule, its seconds as predicted, the cores it takes, the jobs that come before it, and the epochs that
    it trains, over all its networks and seeds."""

    rule: str
    seconds: float
    cores: int = 1
    after: frozenset[int] = frozenset()
    epochs: int = 0


def makespan(jobs: Mapping[int, Job], cores: int, running: Iterable[int] = ()) -> float:
    """Seconds until all jobs are done on so many cores, those on the longest way to the end first. What a job comes after and is
    not among the jobs is done; the running ones have their cores already."""
    waiting = {number: job.after & jobs.keys() for number, job in jobs.items()}
    followers: dict[int, list[int]] = {number: [] for number in jobs}
    for number, before in waiting.items():
        for other in before:
            followers[other].append(number)
    rank = _ways_to_the_end(jobs, followers)
    running = [number for number in running if number in jobs]
    ready = [(-rank[number], number) for number, before in waiting.items() if not before and number not in running]
    heapq.heapify(ready)
    ends = [(jobs[number].seconds, number) for number in running]
    heapq.heapify(ends)
    free, now = cores - sum(_width(jobs[number], cores) for number in running), 0.0
    while ready or ends:
        later = []
        while ready and free > 0:
            _, number = item = heapq.heappop(ready)
            if _width(jobs[number], cores) > free:
                later.append(item)
                continue
            free -= _width(jobs[number], cores)
            heapq.heappush(ends, (now + jobs[number].seconds, number))
        for item in later:
            heapq.heappush(ready, item)
        now, done = heapq.heappop(ends)
        free += _width(jobs[done], cores)
        for follower in followers[done]:
            waiting[follower] = waiting[follower] - {done}
            if not waiting[follower]:
                heapq.heappush(ready, (-rank[follower], follower))
    return now


def _width(job: Job, cores: int) -> int:
    return max(1, min(job.cores, cores))


def _ways_to_the_end(jobs: Mapping[int, Job], followers: Mapping[int, list[int]]) -> dict[int, float]:
    """For each job, its seconds and those of the longest chain of jobs that wait for it."""
    rank: dict[int, float] = {}
    open_jobs = list(jobs)
    while open_jobs:
        number = open_jobs[-1]
        missing = [other for other in followers[number] if other not in rank]
        if missing:
            open_jobs.extend(missing)
            continue
        open_jobs.pop()
        rank[number] = jobs[number].seconds + max((rank[other] for other in followers[number]), default=0.0)
    return rank


@dataclass
class Progress:
    """The jobs of a run as they start and finish; the clock is the caller's. shares: of running jobs, how much is done."""

    jobs: dict[int, Job] = field(default_factory=dict)
    cores: int = 1
    started: dict[int, float] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)

    def start(self, job: int, now: float) -> None:
        self.started[job] = now

    def finish(self, job: int, now: float) -> None:
        self.took[job] = now - self.started.pop(job, now)
        self.shares.pop(job, None)

    def trained(self, job: int, epochs: int) -> None:
        """A running job has done so many of its epochs."""
        if job in self.started and job in self.jobs and self.jobs[job].epochs and epochs:
            self.shares[job] = min(MOST_DONE, epochs / self.jobs[job].epochs)

    def seconds_left(self, now: float) -> float | None:
        """The time until the last job is done; None where nothing was predicted."""
        if not self.jobs:
            return None
        factors = self._factors(now)
        left = {
            number: Job(job.rule, self._seconds_left(number, factors[job.rule], now), job.cores, job.after)
            for number, job in self.jobs.items()
            if number not in self.took
        }
        return makespan(left, self.cores, self.started)

    def _seconds_left(self, number: int, factor: float, now: float) -> float:
        if number in self.shares:
            return (now - self.started[number]) * (1 / self.shares[number] - 1)
        expected = factor * self.jobs[number].seconds
        return max(0.0, expected - (now - self.started[number])) if number in self.started else expected

    def _factors(self, now: float) -> dict[str, float]:
        """Seconds taken over seconds predicted, by rule: of its own jobs, as far as there are some, else of all.

        A running job counts once some of its epochs are done, or it takes longer than predicted: a first job that takes ten times
        as long would say nothing otherwise.
        """
        seen = {number: (seconds, self.jobs[number]) for number, seconds in self.took.items() if number in self.jobs}
        for number, started in self.started.items():
            if number in self.shares:
                seen[number] = ((now - started) / self.shares[number], self.jobs[number])
            elif number in self.jobs and now - started > self.jobs[number].seconds:
                seen[number] = (now - started, self.jobs[number])
        overall = _ratio(seen.values(), 1.0)
        rules = {job.rule for job in self.jobs.values()}
        return {rule: _ratio([each for each in seen.values() if each[1].rule == rule], overall) for rule in rules}


def _ratio(seen: Iterable[tuple[float, Job]], prior: float) -> float:
    """Seconds taken over seconds predicted, with some predicted seconds at the prior ratio beside."""
    seen = list(seen)
    return (DOUBT * prior + sum(took for took, _ in seen)) / (DOUBT + sum(job.seconds for _, job in seen))
