"""ResNet-12 is that of the papers below every learner, and images are changed in training alone, by the seed."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from test_fewshot import batch, fresh
from test_fewshot_gpu import OnlyThere
from torch import nn
from torch.utils._pytree import tree_map

from autometa import FewShotClassifier
from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.fewshot import Checkpoint, EpisodeSpec, TrainingSettings, load_data, make, train
from autometa.fewshot.augment import augmented, crop, flip, jitter
from autometa.fewshot.backends import meta_gradient
from autometa.fewshot.evaluation import answers
from autometa.fewshot.learners import LEARNERS
from autometa.fewshot.networks import Norms, embed
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.resnet import ResNet12

IMAGES = EpisodeSpec("classification", (3, 16, 16), 3, known_classes=7)
BELOW = [name for name, kind in LEARNERS.items() if "backbone" in {field.name for field in fields(kind)}]


class Block(nn.Module):
    """A block as the papers' own code has it: the oracle."""

    def __init__(self, entering: int, width: int) -> None:
        super().__init__()
        sizes = (entering, width, width)
        self.convs = nn.ModuleList(nn.Conv2d(size, width, 3, padding=1, bias=False) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in sizes)
        self.skip = nn.Sequential(nn.Conv2d(entering, width, 1, bias=False), nn.BatchNorm2d(width))
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for j in range(3):
            out = self.norms[j](self.convs[j](out))
            out = self.act(out) if j < 2 else out
        return nn.functional.max_pool2d(self.act(out + self.skip(x)), 2)


def test_it_is_the_network_of_the_papers_trained_and_asked():
    network = ResNet12((3, 32, 32), width=4)
    weights = network.initialise(torch.Generator().manual_seed(0))
    widths, x = (3, *network.widths), torch.rand((6, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    assert network.widths == (4, 10, 20, 40)
    oracle = nn.Sequential(*(Block(a, b) for a, b in pairwise(widths)))
    for k, block in enumerate(oracle):
        for j in range(3):
            block.convs[j].weight.data = weights[f"conv{k}_{j}"]
        block.skip[0].weight.data = weights[f"conv{k}_skip"]
    seen: dict[str, torch.Tensor] = {}
    h = embed(network, weights, x, torch.ones(6), Norms(seen=seen))
    torch.testing.assert_close(h, oracle(x).mean((2, 3)), atol=1e-4, rtol=1e-4)
    oracle.eval()
    for k, block in enumerate(oracle):
        for name, norm in (*((str(j), block.norms[j]) for j in range(3)), ("skip", block.skip[1])):
            norm.running_mean, norm.running_var = (seen[f"running.norm{k}_{name}_{of}"] for of in ("mean", "variance"))
    asked = embed(network, weights | seen, x[:2], torch.ones(2), Norms(running=True))
    torch.testing.assert_close(asked, oracle(x[:2]).mean((2, 3)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", BELOW)
def test_it_stands_below_every_learner_of_images_and_all_of_it_is_learned(name):
    known = {field.name for field in fields(LEARNERS[name])}
    tiny = {"width": 2, "hidden": 3, "steps": 1, "test_steps": 1, "backbone": "resnet12"}
    learner = make(LEARNERS[name], IMAGES, {key: value for key, value in tiny.items() if key in known})
    assert isinstance(learner.network, ResNet12)
    episode = batch(IMAGES, t=2)
    weights = fresh(learner)
    if name not in ("lstm_meta", "learned_optimizer"):  # whose start is reached through a rule
        loss, gradients, _ = meta_gradient(learner, weights, episode, "vmap")
        assert torch.isfinite(loss)
        assert all(float(gradients[f"conv{k}_skip"].abs().sum()) > 0 for k in range(4))
    there = {key: w.float().to("meta") for key, w in weights.items()}
    episode = tree_map(lambda a: (a.float() if a.is_floating_point() else a).to("meta"), episode)
    with OnlyThere("meta"):  # no step reads a value, or leaves the device
        loss, _, _ = meta_gradient(learner, there, episode, "vmap")
        found = answers(learner, there, episode)
    assert (loss.ndim, found.shape) == (0, (2, 6, 3))


def test_a_backbone_for_what_is_no_image_is_refused():
    with pytest.raises(InputError, match=r"resnet12 is for images, and examples are of shape \(5,\)"):
        make(LEARNERS["maml"], EpisodeSpec("classification", (5,), 3), {"backbone": "resnet12"})
    with pytest.raises(InputError, match="an encoder is below the learner"):
        make(LEARNERS["protonet"], IMAGES, {"backbone": "resnet12"}, encoder=nn.Flatten())
    with pytest.raises(InputError, match="'resnet50' is none of conv4, resnet12"):
        make(LEARNERS["protonet"], IMAGES, {"backbone": "resnet50"})


# ------------------------------------------------------------------------------------------------- augmentation


def pictures(n: int = 400, side: int = 24) -> torch.Tensor:
    return torch.rand((n, 3, side, side), generator=torch.Generator().manual_seed(0))


def test_half_the_images_are_flipped_each_by_itself():
    x = pictures()
    found = flip(x, np.random.default_rng(0))
    over = [bool((after == before.flip(-1)).all()) for before, after in zip(x, found, strict=True)]
    same = [bool((after == before).all()) for before, after in zip(x, found, strict=True)]
    assert all(a != b for a, b in zip(over, same, strict=True))
    assert 0.4 < np.mean(over) < 0.6


def test_a_cropped_image_is_moved_and_its_edge_repeated():
    x, most = pictures(60), round(24 * OPTIONS.cropped_share)
    found = crop(x, np.random.default_rng(0))
    padded = nn.functional.pad(x, [most] * 4, mode="replicate")
    moves = []
    for before, after in zip(padded, found, strict=True):
        fits = [
            (i, j)
            for i in range(2 * most + 1)
            for j in range(2 * most + 1)
            if torch.equal(before[:, i : i + 24, j : j + 24], after)
        ]
        assert len(fits) == 1
        moves += fits
    assert len(set(moves)) > 15


def test_light_contrast_and_colour_change_within_their_bounds():
    x, rng = pictures(50) * 0.3 + 0.35, np.random.default_rng(0)
    found = jitter(x, rng)
    again = np.random.default_rng(0)
    light, contrast, colour = (1 + 0.4 * (2 * again.random(50) - 1) for _ in range(3))
    one = x[7].double().numpy() * light[7]
    one = one.mean() + contrast[7] * (one - one.mean())
    grey = np.tensordot([0.299, 0.587, 0.114], one, (0, 0))
    np.testing.assert_allclose(found[7].numpy(), np.clip(grey + colour[7] * (one - grey), 0, 1), atol=1e-5)
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert 0.6 <= light.min() <= light.max() <= 1.4
    grey_ones = jitter(x[:, :1], np.random.default_rng(0))
    assert grey_ones.shape == (50, 1, 24, 24)


def test_the_same_seed_changes_support_and_query_alike_on_every_device_and_reads_nothing():
    data = load_data("digits")
    rng = np.random.default_rng(0)
    episode = data.train.episode(rng, data.train.propose(rng, 2, way=3), shot=2, query=2)
    first, second = (augmented(episode, "flip, crop,jitter", np.random.default_rng(1)) for _ in range(2))
    assert torch.equal(first.query.x, second.query.x)
    for before, after in ((episode.support, first.support), (episode.query, first.query)):
        assert not torch.equal(before.x, after.x)
        assert torch.equal(before.y, after.y)
    there = tree_map(lambda a: a.to("meta"), episode)
    found = augmented(there, "flip,crop,jitter", np.random.default_rng(1))
    assert (found.support.x.device.type, found.support.x.shape) == ("meta", episode.support.x.shape)


def test_training_is_changed_validation_is_not_and_a_resumed_training_ends_alike(tmp_path):
    data = load_data("digits")
    learner = make(LEARNERS["protonet"], data.train.problem(3), {"width": 4})
    own = replace(learner.training, way=3, query=2, augment="flip,crop,jitter")
    settings = TrainingSettings(4, way=3, query=2, look_every=2, look_episodes=3, backend="loop")
    whole = train(learner, data, settings, training=own)
    train(learner, data, settings, training=own, out=tmp_path, until=2)
    again = train(learner, data, settings, training=own, out=tmp_path, resume=True)
    assert all(torch.equal(whole.weights[key], w) for key, w in again.weights.items())
    plain = train(learner, data, settings, training=replace(own, augment=""))
    assert not torch.equal(plain.weights["conv0"], whole.weights["conv0"])
    untrained = TrainingSettings(1, way=3, query=2, look_every=1, look_episodes=3, backend="loop")
    still = replace(own, rate=1e-30)
    scores = [
        train(learner, data, untrained, training=one).progress["best"] for one in (still, replace(still, augment=""))
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.2)  # the norms alone have seen other images


def test_the_command_trains_resnet_with_changed_images_and_what_cannot_be_is_refused_together(tmp_path, capsys):
    out = tmp_path / "learned"
    told = [
        "fewshot",
        "train",
        "--learner",
        "protonet",
        "--data",
        "digits",
        "--way",
        "3",
        "--steps",
        "2",
        "--query",
        "2",
    ]
    told += ["--train-way", "3", "--train-query", "2", "--look-every", "1", "--set", "width=2", "--json"]
    asked = [*told, "--network", "resnet12", "--augment", "flip,crop,jitter", "--out", str(out)]
    assert main(asked) == 0
    capsys.readouterr()
    state = Checkpoint.load(out)
    assert state.options["backbone"] == "resnet12"
    assert state.settings["training"]["augment"] == "flip,crop,jitter"
    assert main(["fewshot", "eval", str(out), "--episodes", "2", "--query", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 2
    wrong = [*told, "--network", "resnet50", "--augment", "flip", "--out", str(tmp_path / "other")]
    assert main(wrong) == 2
    assert "'resnet50' is none of conv4, resnet12" in capsys.readouterr().err
    assert main([*told, "--augment", "flop,turn", "--out", str(tmp_path / "other")]) == 2
    said = capsys.readouterr().err
    assert "augment flop: is not known. Did you mean 'flip'?" in said
    assert "augment turn: is not known" in said
    values = ["fewshot", "train", "--learner", "maml", "--data", "sinusoid", "--steps", "1", "--augment", "flip"]
    assert main([*values, "--out", str(tmp_path / "other")]) == 2
    assert "augment flip: is for images" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_training_from_before_there_were_backbones_goes_on_with_its_own_alone(tmp_path):
    data = load_data("digits")
    learner = make(LEARNERS["maml"], data.train.problem(3), {"width": 2})
    settings = TrainingSettings(2, way=3, query=2, look_every=1, look_episodes=2, backend="loop")
    own = replace(learner.training, tasks=1, query=1)
    state = train(learner, data, settings, training=own, out=tmp_path, until=1)
    del state.options["backbone"], state.settings["training"]["augment"]
    state.save(tmp_path / "checkpoint.npz")
    other = replace(learner, backbone="resnet12")
    with pytest.raises(RunError, match="backbone was 'conv4', is 'resnet12'"):
        train(other, data, settings, training=own, out=tmp_path, resume=True)
    assert train(learner, data, settings, training=own, out=tmp_path, resume=True).step == 2


def test_in_python_it_is_an_option_and_a_field_of_the_training():
    model = FewShotClassifier("protonet", options={"backbone": "resnet12", "width": 2})
    model.meta_fit("digits", steps=1, way=3, training={"augment": "crop", "way": 3, "query": 2}, verbose=False)
    assert model.meta_.settings["training"]["augment"] == "crop"
    assert "conv3_skip" in model.meta_.weights
