"""Which studies get their next look: best chance for each core second, shared networks once, and what is left for a reason."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_tree import ELSEWHERE, HERE, Tree
from typer.testing import CliRunner

from assay import cli
from assay.cli import more
from assay.errors import StudyError
from assay.evidence.tables import Observation, write_evidence
from assay.language.seeds import load_seeds
from assay.language.studies import load_studies
from assay.pipeline import further as module
from assay.pipeline.further import Costs, Offer, choose, further
from assay.pipeline.prediction import STARTS
from assay.storage.files import read_json


def offer(study, chance=1.0) -> Offer:
    return Offer(study, seeds=5, to=10, open=1, needs=8, chance=chance, core_seconds=0.0)


class Given:
    """Costs by study: the networks it needs with their seconds, and those of measuring."""

    def __init__(self, **parts):
        self.given = parts

    def parts(self, offer):
        networks, measuring = self.given[offer.study]
        return networks, measuring


def chosen(offers, seconds, costs):
    return [(each.study, each.core_seconds) for each in choose(offers, seconds, costs) if each.chosen]


def test_the_best_chance_for_each_second_comes_first():
    costs = Given(a=({}, 10.0), b=({}, 20.0), c=({}, 5.0))
    assert chosen([offer("a", 0.5), offer("b", 1.9), offer("c", 0.1)], 30.0, costs) == [("b", 20.0), ("a", 10.0)]
    assert chosen([offer("a", 0.5), offer("b", 1.9), offer("c", 0.1)], 19.0, costs) == [("a", 10.0), ("c", 5.0)]
    assert chosen([offer("a"), offer("b")], 0.0, costs) == []


def test_what_several_need_is_paid_once():
    costs = Given(a=({"shared": 10.0, "own": 1.0}, 1.0), b=({"shared": 10.0}, 1.0), c=({}, 9.0))
    assert chosen([offer("a", 3.0), offer("b", 0.9), offer("c", 1.0)], 100.0, costs) == [("a", 12.0), ("b", 1.0), ("c", 9.0)]
    # What the first has paid for makes the second the better bargain.
    assert chosen([offer("a", 3.0), offer("b", 0.9), offer("c", 1.0)], 13.0, costs) == [("a", 12.0), ("b", 1.0)]


@given(
    st.lists(st.tuples(st.floats(0, 4), st.sets(st.integers(0, 5)), st.floats(0.1, 50)), max_size=8),
    st.floats(0, 200),
)
def test_no_more_is_spent_than_given_and_no_look_is_lost(drawn, seconds):
    names = [f"s{number}" for number in range(len(drawn))]
    price = {network: 3.0 * network for network in range(6)}
    costs = Given(
        **{name: ({n: price[n] for n in networks}, cost) for name, (_, networks, cost) in zip(names, drawn, strict=True)}
    )
    found = choose([offer(name, chance) for name, (chance, _, _) in zip(names, drawn, strict=True)], seconds, costs)
    assert sorted(each.study for each in found) == names
    taken = [each.study for each in found if each.chosen]
    spent = sum(costs.given[name][1] for name in taken) + sum(
        price[n] for n in set().union(*(costs.given[name][0] for name in taken))
    )
    assert spent == pytest.approx(sum(each.core_seconds for each in found if each.chosen))
    assert spent <= seconds + 1e-6
    assert all(each.why == "over the core minutes given" for each in found if not each.chosen)


# On evidence


def effects(tree, name, values, **changes):
    """Evidence in which mixup is better than erm by these values."""
    folder = tree.measure(name, **changes)
    rows = [
        Observation(name, arm, seed, "top1", None, 0.5 + 0.01 * seed + (value if arm == "mixup" else 0))
        for arm in ("erm", "mixup")
        for seed, value in enumerate(values)
    ]
    write_evidence(folder, rows, {}, read_json(folder / "provenance.json"))
    tree.vouch(name)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "platform_here", lambda *given: HERE)
    tree = Tree(tmp_path)
    tree.scale()
    return tree


NEAR = [0.1, 0.02, 0.2, -0.03, 0.11]
NOWHERE = [0.2, -0.1, 0.2, -0.21, 0.06]


def test_studies_whose_words_are_settled_or_worthless_are_left(tree):
    for name, values in {"near": NEAR, "settled": [0.3, 0.31, 0.32, 0.3, 0.3]}.items():
        tree.study(name)
        effects(tree, name, values)
    tree.study("unseen")
    found = further("laptop", 30, root=tree.root)
    assert [(each.study, each.seeds, each.to, each.chosen) for each in found] == [("near", 5, 10, True)]
    assert further("laptop", 30, names=["settled"], root=tree.root) == []
    with pytest.raises(StudyError, match="unknown study 'naer'; did you mean 'near'"):
        further("laptop", 30, names=["naer"], root=tree.root)


def test_from_the_second_look_on_the_hopeless_are_left_and_what_is_set_waits_for_its_run(tree):
    tree.study("hopeless")
    effects(tree, "hopeless", NOWHERE)
    assert [each.chosen for each in further("laptop", 30, root=tree.root)] == [True]
    tree._write("config/seeds/laptop.yaml", "hopeless: 10\n")
    (waiting,) = further("laptop", 30, root=tree.root)
    assert (waiting.chosen, waiting.why) == (False, "10 seeds are set and not measured yet")
    folder = tree.measure("hopeless", block="5-9")
    rows = [
        Observation("hopeless", arm, seed, "top1", None, 0.5 + (NOWHERE[seed - 5] if arm == "mixup" else 0))
        for arm in ("erm", "mixup")
        for seed in range(5, 10)
    ]
    write_evidence(folder, rows, {}, read_json(folder / "provenance.json"))
    tree.vouch("hopeless", "5-9")
    (left,) = further("laptop", 30, root=tree.root)
    assert (left.seeds, left.to, left.chosen, left.why) == (10, 20, False, "needs more than 40")
    assert left.needs > 40
    assert further("laptop", 30, most=10**6, root=tree.root)[0].chosen
    assert further("laptop", 30, most=10, root=tree.root)[0].why == "its next look is beyond 10"


def test_a_look_costs_its_new_seeds_and_all_of_them_on_another_platform(tree, monkeypatch):
    tree.study("near")
    effects(tree, "near", NEAR)
    costs = Costs("laptop", load_studies("laptop", tree.root / "config"), tree.root)
    networks, measuring = costs.parts(offer("near"))
    assert {block.name for _, block in networks} == {"5-9"}
    assert measuring == pytest.approx(STARTS["measure"] + 5 * 0.1)  # to start, and half a second a block as recorded
    monkeypatch.setattr(module, "platform_here", lambda *given: ELSEWHERE)
    costs = Costs("laptop", load_studies("laptop", tree.root / "config"), tree.root)
    assert {block.name for _, block in costs.parts(offer("near"))[0]} == {"0-4", "5-9"}


# The command


def test_a_table_fits_80_columns_and_says_what_is_left_and_why():
    offers = [
        replace(offer("a" * 40), chosen=True, core_seconds=6e5, needs=None, chance=12.0, to=10240, seeds=5120),
        replace(offer("b"), why="needs more than 40", needs=10**7),
        *(replace(offer(f"study-{number}"), why="over the core minutes given", core_seconds=60.0) for number in range(20)),
    ]
    lines = more.table(offers, "laptop", 10_000)
    assert max(map(len, lines)) <= 80
    assert "needs more than 40: b" in lines
    assert lines[-1] == "1 of 22 looks, 10000.0 of 10000 core minutes"
    assert more.table([], "laptop", 30) == ["scale laptop: no study is open"]


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """The command, with two offers, writing to a folder of the test's."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/laptop.yaml").write_text("aum: 20\n")
    found = [replace(offer("mixup"), chosen=True), replace(offer("odin"), why="over the core minutes given")]
    monkeypatch.setattr(module, "further", lambda *given: found)
    monkeypatch.setattr(more, "load_seeds", lambda *given: load_seeds(*given, config=tmp_path))
    write = more.write_seeds
    monkeypatch.setattr(more, "write_seeds", lambda *given: write(*given, config=tmp_path))
    return tmp_path / "seeds/laptop.yaml"


def test_looks_are_set_with_the_word_alone_and_other_lines_stay(offered):
    told = CliRunner().invoke(cli.app, ["more"])
    assert told.exit_code == 0, told.output
    assert told.stdout.endswith("nothing is set; to set them: the same command with --set\n")
    assert offered.read_text() == "aum: 20\n"
    told = CliRunner().invoke(cli.app, ["more", "--set"])
    assert told.exit_code == 0, told.output
    assert "commit it, then run: snakemake --config scale=laptop" in told.stdout
    assert offered.read_text().splitlines()[1:] == ["aum: 20", "mixup: 10"]


def test_json_holds_all_offers(offered):
    told = CliRunner().invoke(cli.app, ["more", "--json"])
    data = json.loads(told.stdout)
    assert (data["scale"], data["set"]) == ("laptop", False)
    assert [(each["study"], each["to"], each["chosen"]) for each in data["offers"]] == [("mixup", 10, True), ("odin", 10, False)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--to", "3"], "error: --to: 3 is below the first look at scale laptop (5); give that or more\n"),
        (["--scale", "lapptop"], "error: config: scale: unknown scale 'lapptop'; did you mean 'laptop'?"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(given, said):
    told = CliRunner().invoke(cli.app, ["more", *given])
    assert told.exit_code == 1
    assert told.stderr.startswith(said)
    assert told.stderr.count("\n") == 1
