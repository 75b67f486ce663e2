"""How long a run still takes: jobs with predicted seconds laid on so many cores, corrected by how long finished ones took."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TARGET = "all"  # the rule that asks for what all others make, and does nothing
DOUBT = 20.0  # seconds of work as predicted that count beside what was seen, so that one short job does not sway the rest


@dataclass(frozen=True)
class Job:
    """One job of a run: its rule, its seconds as predicted, the cores it takes, and the jobs that come before it."""

    rule: str
    seconds: float
    cores: int = 1
    after: frozenset[int] = frozenset()


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
    """The jobs of a run as they start and finish; the clock is the caller's."""

    jobs: dict[int, Job] = field(default_factory=dict)
    cores: int = 1
    started: dict[int, float] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)

    def start(self, job: int, now: float) -> None:
        self.started[job] = now

    def finish(self, job: int, now: float) -> None:
        self.took[job] = now - self.started.pop(job, now)

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
        expected = factor * self.jobs[number].seconds
        return max(0.0, expected - (now - self.started[number])) if number in self.started else expected

    def _factors(self, now: float) -> dict[str, float]:
        """Seconds taken over seconds predicted, by rule: of its own jobs, as far as there are some, else of all.

        A running job counts once it takes longer than predicted, or a first job that takes ten times as long would say nothing.
        """
        seen = {number: (seconds, self.jobs[number]) for number, seconds in self.took.items() if number in self.jobs}
        for number, started in self.started.items():
            if number in self.jobs and now - started > self.jobs[number].seconds:
                seen[number] = (now - started, self.jobs[number])
        overall = _ratio(seen.values(), 1.0)
        rules = {job.rule for job in self.jobs.values()}
        return {rule: _ratio([each for each in seen.values() if each[1].rule == rule], overall) for rule in rules}


def _ratio(seen: Iterable[tuple[float, Job]], prior: float) -> float:
    """Seconds taken over seconds predicted, with some predicted seconds at the prior ratio beside."""
    seen = list(seen)
    return (DOUBT * prior + sum(took for took, _ in seen)) / (DOUBT + sum(job.seconds for _, job in seen))
