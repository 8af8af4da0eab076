"""The licences of weights: told at every fetch, and a reason to refuse under the policy ``commercial``."""

from __future__ import annotations

from zoo.errors import LicenceError
from zoo.specs import Licence, Licences


def describe(licences: Licences | Licence) -> str:
    """A few words: ``licences: weights MIT, code MIT, data WIDER FACE (commercial use: no)``, or ``licence: MIT``."""
    named = ", ".join(f"{field} {_name(licence)}".strip() for field, licence in _fields(licences))
    return f"licence: {named}" if isinstance(licences, Licence) else f"licences: {named}"


def enforce(licences: Licences | Licence | None, policy: str, what: str) -> None:
    """Raise `LicenceError`, naming each field that decided, when `policy` refuses `what`.

    ``commercial`` asks that the code, the weights and the training data each allow commercial use for certain;
    ``any`` refuses nothing. None, for a file that nobody states a licence of, is not refused.
    """
    if policy != "commercial" or licences is None:
        return
    deciding = [f"{field or 'file'}: {licence.name} ({licence.commercial})" for field, licence in _fields(licences)
                if licence.commercial != "yes"]  # fmt: skip
    if deciding:
        raise LicenceError(
            f"The licence policy 'commercial' refuses {what} because of its {', '.join(deciding)}; "
            "choose another model, or allow it with `--license-policy any`."
        )


def _fields(licences: Licences | Licence) -> list[tuple[str, Licence]]:
    if isinstance(licences, Licence):
        return [("", licences)]
    return [("weights", licences.weights), ("code", licences.code), ("data", licences.data)]


def _name(licence: Licence) -> str:
    return licence.name if licence.commercial == "yes" else f"{licence.name} (commercial use: {licence.commercial})"
