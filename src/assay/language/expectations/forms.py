"""What a term comes to by arithmetic alone: a polynomial with exact coefficients in what is measured.

Two terms of one form are equal whatever is measured, so a comparison of them says nothing. What is no polynomial (a quotient by
something measured, a logarithm, a trend) is an unknown of its own, named by the form that it is applied to; so two terms may be
equal without having one form, but never the other way round.
"""

from collections.abc import Mapping
from fractions import Fraction

Monomial = tuple[str, ...]  # the unknowns multiplied, in order; none in a constant
Form = Mapping[Monomial, Fraction]  # their coefficients, none of them 0

MOST = 400  # monomials; larger products count as unknowns


def constant(value: float) -> Form:
    """A number, exactly as it is written in decimals."""
    return _tidy({(): Fraction(str(value))})


def unknown(name: str) -> Form:
    """Something measured."""
    return {(name,): Fraction(1)}


def total(left: Form, right: Form, sign: int = 1) -> Form:
    """left + right, or left - right with sign -1."""
    return _tidy({each: left.get(each, Fraction(0)) + sign * right.get(each, Fraction(0)) for each in {**left, **right}})


def product(left: Form, right: Form) -> Form:
    """left * right, multiplied out."""
    if len(left) * len(right) > MOST:
        return unknown("*".join(sorted(f"({text(form)})" for form in (left, right))))
    found: dict[Monomial, Fraction] = {}
    for one, by in left.items():
        for other, times in right.items():
            both = tuple(sorted(one + other))
            found[both] = found.get(both, Fraction(0)) + by * times
    return _tidy(found)


def quotient(left: Form, right: Form) -> Form:
    """left / right."""
    number = decided(right)
    return product(left, constant_of(1 / number) if number else unknown(f"1/({text(right)})"))


def constant_of(number: Fraction) -> Form:
    return _tidy({(): number})


def mean(form: Form) -> Form:
    """The mean over a series: of a sum it is the sum of the means, and a constant is its own."""
    found: dict[Monomial, Fraction] = {}
    for monomial, by in form.items():
        inside = (f"mean({text({monomial: Fraction(1)})})",) if monomial else ()
        found[inside] = found.get(inside, Fraction(0)) + by
    return _tidy(found)


def applied(name: str, form: Form) -> Form:
    """Another function of a form, an unknown of its own."""
    return unknown(f"{name}({text(form)})")


def decided(form: Form) -> Fraction | None:
    """The number that the form comes to whatever is measured; None if there is no such."""
    return form.get((), Fraction(0)) if not any(form) else None


def text(form: Form) -> str:
    """The form in one spelling."""
    return " + ".join(f"{form[monomial]}*{'*'.join(monomial)}" for monomial in sorted(form))


def _tidy(form: dict[Monomial, Fraction]) -> Form:
    return {monomial: by for monomial, by in form.items() if by}
