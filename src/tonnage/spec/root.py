"""What every document is at its root, whatever its kind."""

from __future__ import annotations

from typing import Any

from tonnage.spec.scalars import Part


class Root(Part):
    """A whole document."""

    def to_document(self) -> dict[str, Any]:
        """Writes the document back as plain data; reading it again gives an equal value."""
        document: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return document
