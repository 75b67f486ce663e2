"""From a study's file to its cells: every field checked against plugs and catalogue and written out in full. No torch."""

import keyword
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from assay.errors import StudyError, quoted, unknown
from assay.language import expectations
from assay.language.catalogue import load as load_catalogue
from assay.language.inputs import shown
from assay.language.limits import MOST_OF, check_limits, check_list
from assay.language.metrics import check_metrics
from assay.language.plugs import Parameter, describe
from assay.language.published import Published, PublishedNumber
from assay.language.recipes import AXES, DEFAULTS, HOOKS, LIST_FIELDS, PLUG_FIELDS, Recipe, recorded, resets
from assay.language.revised import Revision, check_order, first_repetition, looks_before
from assay.language.scales import AsWritten, InFull, Replacing, Scale, StandInError, StandIns, single
from assay.language.seeing import SEEN, seen_as
from assay.language.stored import check_weights
from assay.language.study import Cell, Study, StudyFile

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
METRICS_OF_FIGURES = {"metrics", "x", "y"}  # parameters that name some
RECIPE_FIELDS = ("world", "model", "budget", *DEFAULTS)


def merge(base: Any, top: Any) -> Any:
    """An arm's field over the base's: the same plug merges its parameters, another plug or any other value replaces."""
    try:
        (base_name, base_parameters), (top_name, top_parameters) = (single(spec) for spec in (base, top))
    except ValueError:
        return top
    return {top_name: {**base_parameters, **top_parameters}} if base_name == top_name else top


catalogue = cache(load_catalogue)


class Compiler:
    """Turns one study file into cells. Every problem is raised as "file: place: what is wrong"."""

    def __init__(
        self,
        path: Path,
        file: StudyFile,
        scale_name: str,
        scale: Scale,
        terms: AsWritten | None = None,
        seeds: int | None = None,
    ):
        self.path, self.file, self.scale_name, self.scale = path, file, scale_name, scale
        self.terms = terms or AsWritten(scale)
        self.seeds = seeds or scale.first_look
        self.resolving: list[str] = []
        self.recipes: dict[str, Recipe] = {}
        self.model: Any = None  # as the study writes it: for whose networks worlds are read at the moment

    def study(self) -> Study:
        self._check_names()
        self._check_revisions()
        try:
            catalogue()[self.file.paper]
        except StudyError as error:
            raise self.fail("paper", error) from None
        protocol_plug = self._plug_spec("protocol", "protocols", self.file.protocol)
        info = describe("protocols", protocol_plug[0])
        check_metrics(shown(info.path), info.constants.get("METRICS"))
        self.protocol_name, self.protocol_parameters = protocol_plug
        self.protocol_fields = set(info.parameters)
        clash = self.protocol_fields & set(RECIPE_FIELDS)
        if clash:
            raise StudyError(f"{info.path}: parameter '{min(clash)}' has the name of a recipe field; rename it")
        cells = tuple(self._cell(arm, x) for arm in self.file.arms for x in self._sweep_values())
        self._check_judgement(info.constants["METRICS"])
        self._check_figure(info.constants["METRICS"])
        networks = {name: self._network(name, "networks") for name in self.file.networks}
        return Study(
            name=self.path.stem,
            family=self.path.parent.name,
            path=self.path,
            text=self.path.read_text(encoding="utf-8"),
            file=self.file,
            scale=self.scale_name,
            conclusive=self.scale.conclusive,
            first_look=self.scale.first_look,
            block_size=self.scale.block,
            first=first_repetition(self._revised(), self.scale.block),
            seeds=self.seeds,
            earlier=looks_before(self._revised(), self.scale.first_look),
            cells=cells,
            networks=networks,
            stand_ins=StandIns(),
            published=tuple(self._published(number, cells, position) for position, number in enumerate(self.file.published, 1)),
        )

    def fail(self, where: str, message: object) -> StudyError:
        return StudyError(f"{shown(self.path)}: {where}: {message}")

    def _revised(self) -> list[Revision]:
        """The earlier texts that count: none where nothing is concluded."""
        return self.file.revised if self.scale.conclusive else []

    def _check_revisions(self) -> None:
        try:
            check_order(self.file.revised)
        except StudyError as error:
            raise StudyError(f"{shown(self.path)}: {error}") from None

    def _check_names(self) -> None:
        for group, names in (("arms", self.file.arms), ("networks", self.file.networks)):
            for name in names:
                if keyword.iskeyword(name):
                    raise self.fail(group, f"'{name}' is a word of Python, which expectations are read as; use another name")
                if not IDENTIFIER.fullmatch(name):
                    raise self.fail(
                        group, f"{quoted(name)} cannot be named in an expectation; use lower-case letters, digits and _"
                    )
        both = set(self.file.arms) & set(self.file.networks)
        if both:
            raise self.fail("networks", f"'{min(both)}' is also an arm; give one of them another name")
        if not self.file.arms:
            raise self.fail("arms", "a study needs at least one arm")
        if self.file.baseline is not None and self.file.baseline not in self.file.arms:
            raise self.fail("baseline", unknown("arm", self.file.baseline, self.file.arms))
        if len(self.file.sweep) > 1:
            raise self.fail("sweep", f"one field at most, got {', '.join(self.file.sweep)}")
        for field, values in self.file.sweep.items():
            if not values:
                raise self.fail("sweep", f"{field} has no values; name some, or leave sweep out")
            repeated = next((value for n, value in enumerate(values) if value in values[:n]), None)
            if repeated is not None:
                raise self.fail("sweep", f"{field} has the value {repeated} twice; keep one of the two")

    def _sweep_values(self) -> list:
        return next(iter(self.file.sweep.values()), [None])

    def _check_judgement(self, metrics: dict[str, str]) -> None:
        parsed = {group: self._parsed(group, metrics) for group in ("controls", "expect", "secondary")}
        self._refuse_repeats()
        try:
            expectations.check_margins(self.file.margin, parsed["expect"] + parsed["secondary"], metrics)
        except StudyError as error:
            raise self.fail("margin", error) from None

    def _check_figure(self, metrics: dict[str, str]) -> None:
        """StudyError for a figure that cannot be drawn as it is written, or that names a metric which is not measured."""
        parameters = self._complete("figures", self.file.figure, "figure")["parameters"]
        for key in METRICS_OF_FIGURES & parameters.keys():
            named = parameters[key] if isinstance(parameters[key], list) else [parameters[key]]
            for name in filter(None, named):
                if name not in metrics:
                    raise self.fail(f"figure.{key}", unknown("metric", name, metrics))

    def _refuse_repeats(self) -> None:
        """StudyError for what is said twice, in one list or under expect and secondary: it would count twice in a correction."""
        for groups in (("controls",), ("expect", "secondary")):
            seen: dict[str, str] = {}
            texts = [(f"{group}[{n}]", text) for group in groups for n, text in enumerate(getattr(self.file, group), 1)]
            for place, text in texts:
                first = seen.setdefault(expectations.said_once(text), place)
                if first != place:
                    raise self.fail(place, f"'{text}' says what {first} says; keep one of the two")

    def _parsed(self, group: str, metrics: dict[str, str]) -> list[expectations.Expectation]:
        found = []
        for number, text in enumerate(getattr(self.file, group), 1):
            try:
                found.append(expectations.parse(text))
                found[-1].check(self.file.arms, metrics)
            except StudyError as error:
                raise self.fail(f"{group}[{number}]", error) from None
        return found

    def _published(self, number: PublishedNumber, cells: tuple[Cell, ...], position: int) -> Published:
        """A published number, reproduced if every arm it reads has the paper's world and model."""
        where = f"published[{position}]"
        metrics = describe("protocols", self.protocol_name).constants["METRICS"]
        try:
            number.check(self.file.arms, metrics)
        except StudyError as error:
            raise self.fail(where, error) from None
        if not number.same_as:
            return Published(number, reproduced=False)
        reader = Compiler(self.path, self.file, self.scale_name, self.scale, InFull(self.scale))
        reader.model = number.same_as.get("model")
        paper = {key: reader._complete(PLUG_FIELDS[key], spec, f"{where}.{key}") for key, spec in number.same_as.items()}
        arms = {reference.arm for reference in number.expression.references()}
        own = [cell.recipe.data for cell in cells if cell.arm in arms]
        return Published(number, reproduced=all(data[key] == spec for data in own for key, spec in paper.items()))

    def _cell(self, arm: str, x: Any) -> Cell:
        where = f"arms.{arm}"
        fields = self._fields(arm, x)
        self.model = fields.get("model")
        protocol_fields = {key: value for key, value in fields.items() if key in self.protocol_fields}
        parameters = {**self.protocol_parameters, **protocol_fields}
        protocol = self._complete("protocols", {self.protocol_name: parameters}, where)
        recipe = self._recipe({k: v for k, v in fields.items() if k not in self.protocol_fields}, where)
        return Cell(arm, x, recipe, protocol)

    def _fields(self, name: str, x: Any = None) -> dict[str, Any]:
        """Fields of an arm or network: base, then its own, then the sweep's value."""
        fields = deepcopy(self.file.base)
        own = self.file.arms.get(name) if name in self.file.arms else self.file.networks[name]
        for key, value in (own or {}).items():
            fields[key] = self._over(key, fields.get(key), deepcopy(value))
        for path in self.file.sweep if x is not None else ():
            self._set(fields, path, x)
        allowed = {*RECIPE_FIELDS, *self.protocol_fields}
        for key in fields:
            if key not in allowed:
                group = "arms" if name in self.file.arms else "networks"
                raise self.fail(f"{group}.{name}", unknown("field", key, allowed))
        return fields

    @staticmethod
    def _over(field: str, base: Any, own: Any) -> Any:
        """An arm's field over the base's; budget and draws merge key by key, epochs and length standing for each other."""
        if field not in ("budget", "draws") or not isinstance(base, dict) or not isinstance(own, dict):
            return merge(base, own)
        replaced = {"epochs", "length"} if {"epochs", "length"} & set(own) else set()
        return {**{key: value for key, value in base.items() if key not in replaced}, **own}

    def _set(self, fields: dict, path: str, x: Any) -> None:
        field, _, parameter = path.partition(".")
        if field not in {*RECIPE_FIELDS, *self.protocol_fields}:
            raise self.fail("sweep", unknown("field", field, {*RECIPE_FIELDS, *self.protocol_fields}))
        if not parameter:
            fields[field] = x
        elif field in PLUG_FIELDS and field not in LIST_FIELDS and field in fields:
            name, parameters = self._plug_spec(f"base.{field}", PLUG_FIELDS[field], fields[field])
            fields[field] = {name: {**parameters, parameter: x}}
        elif field in ("budget", "draws"):
            fields[field] = {**fields.get(field, {}), parameter: x}
        else:
            raise self.fail(
                "sweep", f"'{path}' cannot be varied; name a parameter of a plug set in base, such as world.label_noise"
            )

    def _network(self, name: Any, where: str) -> Recipe:
        """The recipe of a named network or arm."""
        names = {**self.file.networks, **self.file.arms}
        if not isinstance(name, str) or name not in names:
            raise self.fail(where, unknown("network", name, names))
        if name in self.resolving:
            raise self.fail(where, f"networks depend on each other in a circle: {' -> '.join([*self.resolving, name])}")
        if name not in self.recipes:
            self.resolving.append(name)
            fields = {k: v for k, v in self._fields(name).items() if k not in self.protocol_fields}
            self.recipes[name] = self._recipe(fields, where)
            self.resolving.pop()
        return self.recipes[name]

    def _recipe(self, fields: dict[str, Any], where: str) -> Recipe:
        fields = {**DEFAULTS, **fields}
        for key in ("world", "model"):
            if key not in fields:
                raise self.fail(where, f"no {key} is set; set it in base or in the arm")
        others, self.model = self.model, fields["model"]
        data: dict[str, Any] = {}
        for field, kind in PLUG_FIELDS.items():
            if field in LIST_FIELDS:
                items = fields[field] if isinstance(fields[field], list) else [fields[field]]
                data[field] = [self._complete(kind, item, f"{where}.{field}") for item in items]
            elif field not in HOOKS or fields[field] is not None:
                data[field] = self._complete(kind, fields[field], f"{where}.{field}")
        data["budget"] = self._budget(fields.get("budget", {}), f"{where}.budget")
        data["draws"] = self._draws(fields["draws"], f"{where}.draws")
        data["record"] = self._checked(recorded, fields["record"], f"{where}.record")
        if forgets := self._checked(resets, fields["reset"], f"{where}.reset"):
            data["reset"] = forgets
        start = fields["start"]
        data["start"] = None if start is None else self._network(start, f"{where}.start").reference
        self.model = others
        return Recipe(data)

    def _plug_spec(self, where: str, kind: str, spec: Any) -> tuple[str, dict]:
        try:
            name, parameters = single(spec)
            describe(kind, name)
        except (ValueError, StudyError) as error:
            raise self.fail(where, error) from None
        return name, parameters

    def _complete(self, kind: str, spec: Any, where: str) -> dict:
        """A plug in canonical form: all parameters written out, checked, nested plugs and networks resolved."""
        named, written = self._plug_spec(where, kind, spec)
        name, given = self.terms.read(kind, named, written)
        declared = describe(kind, name).parameters
        where = f"{where}.{name}" if not where.endswith(name) else where
        if kind == "worlds" and declared.keys() >= set(SEEN):
            given = given | self._seen(set(written if name == named else given), where)
        for key in given:
            if key not in declared:
                raise self.fail(where, unknown("parameter", key, declared))
        values = {key: self._value(parameter, given, f"{where}.{key}") for key, parameter in declared.items()}
        self._check_amounts(describe(kind, name).constants.get("MOST", {}), values, where)
        return {"plug": f"{kind}/{name}", "parameters": values}

    def _seen(self, chosen: set[str], where: str) -> dict[str, Any]:
        """How a world reads photographs for the networks it is read for, without what the study chose itself."""
        if self.model is None:
            return {}
        model = self._complete("models", self.model, where)
        try:
            return {key: value for key, value in seen_as(model).items() if key not in chosen}
        except StudyError as error:
            raise self.fail(where, error) from None

    def _check_amounts(self, most: dict[str, int], values: dict[str, Any], where: str) -> None:
        """StudyError where a plug is asked for more than it says that it has, by parameter or by a sum of some."""
        for names, limit in most.items():
            asked = [values[name] for name in names.split(" + ")]
            if sum(asked) > limit:
                written = " + ".join(map(str, asked))
                problem = f"{names} = {written} is more than there is (at most {limit})"
                if isinstance(self.terms, Replacing):
                    raise StandInError(f"{where.rsplit('.', 1)[1]}: {problem}")
                raise self.fail(where, f"{problem}; set it in the study")

    def _value(self, parameter: Parameter, given: dict[str, Any], where: str) -> Any:
        if parameter.name not in given and parameter.required:
            raise self.fail(where, f"is required (declared {parameter.text})")
        value = given.get(parameter.name, parameter.default)
        if (parameter.plug or parameter.parent) and value is None and not parameter.required and parameter.default is None:
            return None
        try:
            if isinstance(value, list) and parameter.name in given:
                check_list(value, parameter.default, parameter.marks)
            if not (parameter.plug or parameter.parent):
                value = parameter.normalise(value)
                check_limits(parameter.name, value)
        except ValueError as error:
            raise self.fail(where, f"{quoted(given[parameter.name])} is not allowed: {error}") from None
        if parameter.plug or parameter.parent:
            items = value if parameter.many and isinstance(value, list) else [value]
            made = [self._reference(parameter, item, where) for item in items]
            return made if parameter.many else made[0]
        value = self._capped(parameter.name, value)
        if parameter.weights and value:
            self._checked(check_weights, value, where)
        return value

    def _reference(self, parameter: Parameter, item: Any, where: str) -> dict:
        if parameter.plug:
            return self._complete(parameter.plug, item, where)
        return self._network(item, where).reference

    def _capped(self, name: str, value: Any) -> Any:
        limit = self.scale.cap.get(name)
        if limit is None or isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return min(value, limit)

    def _budget(self, given: Any, where: str) -> dict[str, int]:
        allowed = ("epochs", "length", "batch")
        if not isinstance(given, dict) or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in given.values()):
            raise self.fail(where, f"{quoted(given)} is not allowed; give numbers for {', '.join(allowed)}")
        for key in given:
            if key not in allowed:
                raise self.fail(where, unknown("key", key, allowed))
        if "epochs" in given and "length" in given:
            raise self.fail(where, "epochs and length exclude each other; length is a multiple of the scale's epochs")
        length = given.get("length", 1)
        if abs(length) > MOST_OF["epochs"]:
            raise self.fail(f"{where}.length", f"{quoted(length)} is not allowed; it is at most {MOST_OF['epochs']}")
        epochs = given.get("epochs", round(length * self.terms.budget.epochs))
        batch = given["batch"] * self.terms.batch_times if "batch" in given else self.terms.budget.batch
        for key, value, least in (("epochs", epochs, 0), ("batch", batch, 1)):
            most = MOST_OF[key]
            if not least <= value <= most or value != int(value):
                raise self.fail(f"{where}.{key}", f"{quoted(value)} is not allowed; give a whole number from {least} to {most}")
        return {"epochs": self._capped("epochs", int(epochs)), "batch": int(batch)}

    def _draws(self, given: Any, where: str) -> dict[str, int]:
        if not isinstance(given, dict):
            raise self.fail(where, f"{quoted(given)} is not allowed; give a whole number for any of {', '.join(AXES)}")
        for key, value in given.items():
            if key not in AXES:
                raise self.fail(where, unknown("axis", key, AXES))
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise self.fail(f"{where}.{key}", f"{quoted(value)} is not allowed; give a whole number of at least 0")
        return {axis: given.get(axis, 0) for axis in AXES}

    def _checked(self, read: Callable[[Any], Any], given: Any, where: str) -> Any:
        try:
            return read(given)
        except (ValueError, StudyError) as error:
            raise self.fail(where, error) from None
