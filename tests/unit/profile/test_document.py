"""Profiles are written whole, read back equal, and refused with every problem and its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tonnage.errors import EnvironmentFault, SpecError
from tonnage.profile.document import dump_profile, load_profile, parse_profile, write_profile
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Metadata, ModelIdentity, ModelProfile
from tonnage.profile.schema import (
    PAGE_FILE,
    SCHEMA_FILE,
    all_parts,
    main,
    model_profile_schema,
    reference_page,
    schema_text,
)

ROOT = Path(__file__).parents[3]


def profile(*batches: Batch) -> ModelProfile:
    return ModelProfile(
        api_version="tonnage.dev/v1alpha1",
        kind="ModelProfile",
        metadata=Metadata(name="m", created="2026-01-01T00:00:00Z"),
        origin="csv",
        model=ModelIdentity(name="m"),
        batches=batches,
    )


ONE = profile(Batch(size=1, steady_s=Distribution.of([0.001, 0.002, 0.003], keep=True)))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3000), st.booleans())
def test_a_profile_reads_back_as_it_was_written(samples: list[float], keep: bool) -> None:
    """What is written twice is the same, and quantiles stay in order."""
    text = dump_profile(profile(Batch(size=1, steady_s=Distribution.of(samples, keep=keep))))
    again = parse_profile(text)
    assert dump_profile(again) == text
    assert again.batches[0].steady_s.count == len(samples)
    assert list(Draft202012Validator(model_profile_schema()).iter_errors(json.loads(text))) == []


@given(st.floats(0.1, 500))
def test_service_times_between_sizes_lie_between_their_times(size: float) -> None:
    """Between measured sizes on a line, beyond the largest in proportion."""
    steady = [Distribution(mean=mean) for mean in (0.01, 0.03)]
    two = profile(Batch(size=2, steady_s=steady[0]), Batch(size=8, steady_s=steady[1]))
    found = two.batch_mean_s(size)
    assert found is not None
    if size <= 8:
        assert 0.01 <= found <= 0.03 + 1e-12
    else:
        assert found == pytest.approx(0.03 * size / 8)


def test_every_problem_is_told_with_its_place() -> None:
    """An unknown field with a hint, a wrong kind of value, and a value out of its range."""
    document = json.loads(dump_profile(ONE))
    document["batchs"] = []
    document["batches"][0]["size"] = 0
    document["batches"][0]["steadySeconds"]["mean"] = "slow"
    with pytest.raises(SpecError) as caught:
        parse_profile(json.dumps(document, indent=2), source="p.json")
    told = str(caught.value)
    assert 'batchs: must be a known field, got an unknown one; did you mean "batches"?' in told
    assert "batches[0].size: must be >= 1, got 0" in told
    assert 'batches[0].steadySeconds.mean: must be a number, got "slow"' in told
    assert "p.json:" in told


def test_writing_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """A file that is there is replaced at once, and nothing is left beside it."""
    path = tmp_path / "p.json"
    path.write_text("old")
    write_profile(ONE, path=path)
    assert load_profile(path) == parse_profile(dump_profile(ONE))
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_the_environments_fault(tmp_path: Path) -> None:
    """The message names the file and the system's reason."""
    with pytest.raises(EnvironmentFault, match=r"p\.json: must be writable, got No such file"):
        write_profile(ONE, path=tmp_path / "no" / "p.json")


def test_the_schema_and_the_page_are_the_generated_ones() -> None:
    """``python -m tonnage.profile.schema --write`` was run."""
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()
    assert (ROOT / PAGE_FILE).read_text(encoding="utf-8") == reference_page()


def test_every_field_is_described_and_in_the_page() -> None:
    """Each field of each mapping has a sentence and a row."""
    page = reference_page()
    for part in all_parts():
        for name, info in part.model_fields.items():
            assert info.description, f"{part.__name__}.{name}"
            assert f"| `{info.alias}` |" in page


def test_the_entry_point_tells_stale_files_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 and a line for each stale file; 0 once they are written."""
    assert main(["--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("run with --write") == 2
    assert main(["--root", str(tmp_path), "--write"]) == 0
    assert main(["--root", str(tmp_path)]) == 0
