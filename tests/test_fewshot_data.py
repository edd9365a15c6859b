"""Where episodes come from, and which tasks are chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autometa.errors import InputError
from autometa.fewshot.data import DATA, load_data
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.data.sinusoid import Sinusoids
from autometa.fewshot.data.tables import Prior, standardised
from autometa.fewshot.samplers import SAMPLERS, Curriculum, Domain, Similar, Uniform, sampler_of

OMNIGLOT = Path(__file__).resolve().parents[2] / "shared" / "fewshot" / "omniglot28.npz"
needs_omniglot = pytest.mark.shared("fewshot/omniglot28.npz")


def toy(classes: int = 6, each: int = 8, turns: int = 1, domains: int = 2) -> Classes:
    """Every pixel of example i of class k is 10 k + i, but for a corner that tells how it is turned."""
    x = torch.zeros(classes * each, 1, 4, 4, dtype=torch.uint8)
    for k in range(classes):
        for i in range(each):
            x[k * each + i] = 10 * k + i
    x[:, :, 0, 0] = 255
    rows = tuple(np.arange(k * each, (k + 1) * each) for k in range(classes))
    names = tuple(f"c{k}" for k in range(classes))
    return Classes(x, rows, names, tuple(f"d{k % domains}" for k in range(classes)), turns)


SOURCES = {"classes": toy(), "turned": toy(turns=4), "sinusoid": Sinusoids(), "prior": Prior()}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_seed_gives_the_same_episode_and_another_seed_another(source):
    def drawn(seed: int):
        rng = np.random.default_rng(seed)
        return source.episode(rng, source.propose(rng, 3, 2), 2, 3)

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first.support.x, again.support.x)
    assert not torch.equal(first.query.x, other.query.x)
    assert torch.isfinite(first.support.x).all()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_says_how_its_tasks_look(source):
    choices = source.propose(np.random.default_rng(0), 5, 2)
    found = source.describe(choices)
    assert found.features.shape[0] == len(found.difficulty) == 5
    assert np.isfinite(found.features).all()
    assert {choice.domain for choice in choices} <= {*source.domains, "any"}


def test_support_and_query_share_no_example_and_labels_are_right():
    source, rng = toy(), np.random.default_rng(0)
    episode = source.episode(rng, source.propose(rng, 4, 3), 2, 3)
    for t in range(4):
        support, query = (255 * part.x[t, :, 0, 1, 1] for part in episode[:2])
        assert not set(support.round().int().tolist()) & set(query.round().int().tolist())
        for values, labels in ((support, episode.support.y[t]), (query, episode.query.y[t])):
            assert ((values.round() // 10).long() == episode.classes[t][labels]).all()
        assert torch.bincount(episode.support.y[t]).tolist() == [2, 2, 2]


def test_a_turned_class_is_the_same_drawing_turned():
    source = toy(turns=4)
    rng = np.random.default_rng(0)
    episode = source.episode(rng, source.propose(rng, 20, 5), 1, 1)
    corners = {0: (0, 0), 1: (3, 0), 2: (3, 3), 3: (0, 3)}
    for t in range(20):
        for x, label in zip(episode.query.x[t], episode.query.y[t], strict=True):
            row, column = corners[int(episode.classes[t][label]) // 6]
            assert x[0, row, column] == 1
            assert x[0].flatten().sort().values[-2] < 1


def test_digits_of_the_test_were_never_trained_on():
    data = load_data("digits")
    assert not set(data.train.names) & set(data.test.names)
    used = [[int(i) for rows in part.rows for i in rows] for part in data[1:4]]
    assert len({i for part in used for i in part}) == sum(map(len, used))


@needs_omniglot
def test_omniglot_is_vinyals_split_and_no_drawing_is_in_two_parts():
    data = load_data("omniglot", str(OMNIGLOT))
    assert [len(part.rows) for part in data[1:4]] == [1028, 172, 423]
    assert [part.problem(5).known_classes for part in data[1:4]] == [4112, 688, 1692]
    assert all(len(rows) == 20 for part in data[1:4] for rows in part.rows)
    assert len({name for part in data[1:4] for name in part.names}) == 1623


@needs_omniglot
def test_lakes_episodes_stay_within_one_alphabet():
    data = load_data("omniglot_lake", str(OMNIGLOT))
    assert data.within_domain
    assert len(data.test.domains) == 20
    assert not set(data.train.domains) & (set(data.validation.domains) | set(data.test.domains))
    for choice in Domain().choose(data.test, np.random.default_rng(0), 8, 14, 0.0):
        assert {data.test.domain_of[int(k)] for k in choice.key} == {choice.domain}


def test_omniglot_as_published_is_read_from_its_folders(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for half in ("images_background", "images_evaluation"):
        for character in range(20):
            folder = tmp_path / half / f"{half}{character // 2}" / f"c{character}"
            folder.mkdir(parents=True)
            drawn = np.full((105, 105), 255, dtype=np.uint8)
            drawn[:, :20] = 0  # a dark stroke on white
            image.fromarray(drawn).save(folder / "1.png")
    data = load_data("omniglot", str(tmp_path))
    assert [len(part.rows) for part in data[1:4]] == [25, 5, 10]
    assert data.train.x.shape[1:] == (1, 28, 28)
    assert data.train.x[0, 0, :, 0].min() > 200  # strokes are bright here
    assert data.train.x[0, 0, :, -1].max() < 50
    lake = load_data("omniglot_lake", str(tmp_path))
    assert {name.rstrip("0123456789") for name in lake.test.domains} == {"images_evaluation"}


def test_sine_waves_are_those_of_the_maml_paper():
    source, rng = Sinusoids(), np.random.default_rng(0)
    choices = source.propose(rng, 200, 1)
    amplitude, phase = np.array([choice.key for choice in choices]).T
    assert amplitude.min() >= 0.1
    assert amplitude.max() <= 5
    assert phase.max() <= np.pi
    episode = source.episode(rng, choices[:1], 5, 10)
    assert torch.allclose(episode.query.y[0], amplitude[0] * torch.sin(episode.query.x[0] - phase[0]), atol=1e-5)


# ------------------------------------------------------------------------------------------------- tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for k in range(6):
        lines = ["a,b,target"] + [f"{rng.normal():.3f},{rng.normal():.3f},{'xyz'[i % (2 + k % 2)]}" for i in range(60)]
        (tmp_path / f"t{k}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    families = ["name,family", *(f"t{k},f{k // 2}" for k in range(6))]
    (tmp_path / "catalog.csv").write_text("\n".join(families) + "\n", encoding="utf-8")
    return tmp_path


def test_past_tables_are_split_by_family_and_padded_to_one_shape(folder):
    data = load_data("tables", str(folder))
    held = [set(part.domains) for part in data[1:4]]
    assert sorted(name for part in held for name in part) == [f"t{k}" for k in range(6)]
    assert all({f"t{k}", f"t{k + 1}"} <= part or not {f"t{k}", f"t{k + 1}"} & part for part in held for k in (0, 2, 4))
    rng = np.random.default_rng(0)
    episode = data.train.episode(rng, data.train.propose(rng, 6, 3), 2, 3)
    assert episode.support.x.shape == (6, 6, 16)
    assert (episode.support.x[..., 2:] == 0).all()
    for choice, mask in zip(data.train.propose(np.random.default_rng(0), 6, 3), episode.support.mask, strict=True):
        assert mask.sum() == 2 * len(choice.key[2:])


def test_rows_are_standardised_by_the_support_alone():
    support, query = np.array([[0.0, 5.0], [2.0, np.nan]]), np.array([[1.0, np.nan], [300.0, 5.0]])
    s, q = standardised(support, query, 3)
    assert s.tolist() == [[-1, 0, 0], [1, 0, 0]]
    assert q.tolist() == [[0, 0, 0], [5, 0, 0]]
    assert standardised(support, query[:1], 3)[1].tolist() == q[:1].tolist()


# ------------------------------------------------------------------------------------------------- folders of images


def pictures(folder: Path, *, size: int = 6, count: int = 3, shade: int = 0) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", (size, size), (shade + i, 0, 9)).save(folder / f"{i}.png")


def by_folders(root: Path) -> None:
    for k, split in enumerate(("train", "val", "test")):
        for label in range(2):
            pictures(root / split / f"{split}{label}", shade=10 * k)


def by_lists(root: Path) -> None:
    for split in ("train", "val", "test"):
        pictures(root / "images" / split, count=4)
        rows = [f"{split}/{i}.png,{split}{i // 2}" for i in range(4)]
        (root / f"{split}.csv").write_text("filename,label\n" + "\n".join(rows) + "\n", encoding="utf-8")


def by_classes(root: Path) -> None:
    rows = []
    for split in ("train", "val", "test"):
        for label in range(2):
            pictures(root / "birds" / f"{split}{label}")
            rows.append(f"birds,{split}{label},{split}")
    (root / "splits.csv").write_text("domain,class,split\n" + "\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.parametrize("layout", [by_folders, by_lists, by_classes], ids=lambda f: f.__name__)
def test_three_layouts_of_image_folders_are_read(layout, tmp_path):
    pytest.importorskip("PIL")
    layout(tmp_path)
    data = load_data("images", str(tmp_path), size="5")
    for part, split in zip(data[1:4], ("train", "val", "test"), strict=True):
        assert set(part.names) == {f"{split}0", f"{split}1"}
        assert part.problem(2).shape == (3, 5, 5)


def test_mixed_sizes_are_refused_with_what_helps(tmp_path):
    pytest.importorskip("PIL")
    by_folders(tmp_path)
    pictures(tmp_path / "train" / "odd", size=9)
    with pytest.raises(InputError, match=r"2 different sizes: 9 x 9 .* 6 x 6|6 x 6 .* 9 x 9.*--size"):
        load_data("images", str(tmp_path))
    assert load_data("images", str(tmp_path), size=6).train.problem(2).shape == (3, 6, 6)


def test_without_pillow_it_says_what_to_install(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    by_folders(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match="needs Pillow"):
        load_data("images", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("omniglot", "brendenlake/omniglot"),
        ("omniglot_lake", "brendenlake"),
        ("images", "train.csv"),
        ("tables", "folder"),
    ],
)
def test_missing_data_say_where_to_get_them(name, told, tmp_path):
    for path in (None, str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(InputError, match=told):
            load_data(name, path)
    assert set(DATA) >= {name}


def test_too_few_examples_and_too_few_classes_are_told_together():
    found = toy().check(way=7, examples=9)
    assert [problem.where for problem in found] == ["examples", "classes"]
    assert "c0 (8)" in str(found[0])


# ------------------------------------------------------------------------------------------------- samplers


@pytest.mark.parametrize("name", [*SAMPLERS, "similar"])
def test_a_sampler_chooses_as_many_as_asked_says_why_and_repeats_itself(name):
    from autometa.fewshot.data import Data

    data = Data("toy", toy(), toy(), toy())
    sampler = sampler_of(name, data, 3, seed=0)
    assert sampler is not None
    first, again = (sampler.choose(data.train, np.random.default_rng(4), 5, 3, 0.2) for _ in range(2))
    assert len(first) == 5
    assert list(first) == list(again)
    assert first.why


def test_a_curriculum_begins_with_the_easy_tasks():
    source = Prior()
    means = [
        source.describe(Curriculum().choose(source, np.random.default_rng(0), 20, 2, progress)).difficulty.mean()
        for progress in (0.0, 0.25, 1.0)
    ]
    assert means[0] < means[1] < means[2]


def test_similar_tasks_are_nearer_to_the_target_than_those_that_come():
    source, rng = Sinusoids(), np.random.default_rng(0)
    target = [source.propose(rng, 1, 1)[0]]
    sampler = Similar.to(source, target)
    distance = {}
    for name, chooser in (("similar", sampler), ("uniform", Uniform())):
        chosen = chooser.choose(source, np.random.default_rng(1), 40, 1, 0.0)
        distance[name] = ((source.describe(chosen).features - np.array(sampler.target)) ** 2).sum(1).mean()
    assert distance["similar"] < 0.6 * distance["uniform"]


def test_a_domain_sampler_draws_each_task_from_one_domain_and_can_be_told_which():
    source = toy()
    for choice in Domain(("d1",)).choose(source, np.random.default_rng(0), 5, 3, 0.0):
        assert {source.domain_of[int(k)] for k in choice.key} == {"d1"}
    with pytest.raises(InputError, match="no domain has 4 classes"):
        Domain().choose(source, np.random.default_rng(0), 1, 4, 0.0)
