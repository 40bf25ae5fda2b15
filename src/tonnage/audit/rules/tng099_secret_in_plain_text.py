"""Secret in plain text.

What it finds:
    A variable whose name is that of a token, a key or a password, with a literal value.
Why it matters:
    Everybody who may read the Deployment, or the repository, has it: often a token for a model hub.
    Source: kubernetes.io/docs/concepts/security/secrets-good-practices.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        env: [{name: HF_TOKEN, value: hf_wGDFqbTb7qXzVdZ4}]
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        env: [{name: HF_TOKEN, valueFrom: {secretKeyRef: {name: hub, key: token}}}]
How to fix:
    Put it into a Secret and refer to it by secretKeyRef; and change it, since it was seen.
Limits:
    Known by the variable's name; values without a digit, references to other variables, paths and
    placeholders pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule

_SECRET: Final = re.compile(
    r"(^|_)(TOKEN|PASSWORD|PASSWD|SECRET|SECRET_ACCESS_KEY|ACCESS_KEY|API_KEY|APIKEY)$"
)
_PLACEHOLDER: Final = re.compile(
    r"^(\$\(|\$\{|/|<|\{\{|https?:)|your|change|example|xxx|\*\*\*|placeholder", re.IGNORECASE
)


def _check(container: Container) -> Iterator[Hit]:
    for path, name, value in container.env:
        text = str(value)
        is_secret = len(text) >= 6 and any(letter.isdigit() for letter in text)
        if is_secret and _SECRET.search(name.upper()) and not _PLACEHOLDER.search(text):
            yield Hit(path, f"{name} is readable by everybody who can read the object")


RULE = Rule("TNG099", "error", "container", _check, __doc__)
