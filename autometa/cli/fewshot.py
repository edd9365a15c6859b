"""``autometa fewshot``: train, judge, list and use the few-shot learners.

fewshot train --learner maml --data omniglot --path FILE --way 5 --shot 1 --steps N --out DIR [--resume]
fewshot eval DIR --episodes 1000        fewshot list        fewshot predict DIR SUPPORT QUERY
"""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import AsJson, app
from autometa.cli.fewshot_options import (
    EPISODES,
    DataOptions,
    DataPath,
    Device,
    Folder,
    OwnLearner,
    Query,
    Shot,
    Way,
    device_named,
)
from autometa.cli.usage import Command
from autometa.errors import InputError, Problem

fewshot_app = typer.Typer(rich_markup_mode=None, help="Few-shot learners: train on many tasks, adapt to a new one.")
app.add_typer(fewshot_app, name="fewshot")


def _command(function: Any) -> Any:
    """Registers a function as ``autometa fewshot NAME``."""
    return fewshot_app.command(name=function.__name__.strip("_"), cls=Command)(function)


@_command
def train(
    learner: Annotated[
        str, typer.Option("--learner", metavar="NAME", help="One of `fewshot list`, or module:Class.")
    ] = "protonet",
    data: Annotated[
        str,
        typer.Option("--data", metavar="NAME", help="Data set; `fewshot list` names them.", rich_help_panel=EPISODES),
    ] = "digits",
    path: DataPath = None,
    data_option: DataOptions = None,
    way: Way = "5",
    shot: Shot = "1",
    query: Query = None,
    train_way: Annotated[
        str | None,
        typer.Option(
            "--train-way",
            metavar="N",
            help="Classes of a training episode; default: its paper's, or what is there.",
            rich_help_panel=EPISODES,
        ),
    ] = None,
    train_shot: Annotated[
        str | None,
        typer.Option("--train-shot", metavar="N", help="Support examples in training.", rich_help_panel=EPISODES),
    ] = None,
    train_query: Annotated[
        str | None,
        typer.Option("--train-query", metavar="N", help="Queries of each class there.", rich_help_panel=EPISODES),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            "--sampler",
            metavar="NAME",
            help="uniform, domain, similar (to the validation tasks) or curriculum.",
            rich_help_panel=EPISODES,
        ),
    ] = None,
    steps: Annotated[str, typer.Option("--steps", metavar="N", help="Of the whole training.")] = "10000",
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="Stop after this long; --resume goes on.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", metavar="N", help="Episodes per step; default: the learner's paper's.")
    ] = None,
    learning_rate: Annotated[
        str | None, typer.Option("--learning-rate", metavar="X", help="Of the meta-training; default: likewise.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="conv4|resnet12", help="Of images, below the learner; default: conv4."),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option("--augment", metavar="NAME,...", help="Change images in training: flip, crop, jitter."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option of the learner; may be repeated.")
    ] = None,
    look_every: Annotated[str, typer.Option("--look-every", metavar="N", help="Steps between validations.")] = "500",
    patience: Annotated[
        str, typer.Option("--patience", metavar="N", help="Validations without improvement before it stops.")
    ] = "20",
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="auto, loop, vmap, mixed or chunkN: how tasks are batched.")
    ] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="On a GPU, record a step once and replay it (CUDA graph).")
    ] = False,
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of weights and episodes.")] = "0",
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="For checkpoint and curve.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in DIR.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a few-shot learner on many tasks.

    Saved at every validation and every minute; a training that was stopped goes on with --resume as if it had not been.
    """
    from autometa.values import Gathered, duration, one_of, whole

    gathered = Gathered()
    if out is None:
        gathered.problems.append(Problem("--out", "say where to keep the learner", "Such as --out runs/protonet."))
    numbers = {
        name: gathered.option(whole, f"--{name.replace('_', '-')}", text, 1)
        for name, text in {
            "steps": steps, "way": way, "shot": shot, "look_every": look_every, "patience": patience,
        }.items()
    }  # fmt: skip
    if (numbers["way"] or 2) < 2:
        gathered.problems.append(Problem(f"--way {way}", "must be at least 2"))
    asked: dict[str, Any] = {
        "tasks": gathered.option(whole, "--tasks", tasks, 1),
        "train_way": gathered.option(whole, "--train-way", train_way, 2),
        "train_shot": gathered.option(whole, "--train-shot", train_shot, 1),
        "train_query": gathered.option(whole, "--train-query", train_query, 1),
        "query": gathered.option(whole, "--query", query, 1),
        "rate": gathered.option(_number, "--learning-rate", learning_rate),
        "options": {
            **({} if network is None else {"backbone": network}),
            **(gathered.take(_pairs, "--set", set_) or {}),
        },
        "augment": augment,
        "data_options": gathered.take(_pairs, "--data-option", data_option),
        "sampler": sampler,
        "path": path,
    }
    first = gathered.option(whole, "--seed", seed, 0)
    seconds = gathered.option(duration, "--time", time)
    gathered.option(device_named, "--device", device)
    if sampler is not None:
        gathered.option(one_of, "--sampler", sampler, ("uniform", "domain", "similar", "curriculum"))

    from autometa.fewshot.prepare import prepare
    from autometa.fewshot.settings import TrainingSettings

    # A number that cannot be read is replaced by one that can, so that learner and data are looked at all the same.
    given: dict[str, Any] = {name: value or 2 for name, value in numbers.items()}
    settings = TrainingSettings(**given, seed=first or 0, seconds=seconds, backend=backend, compile=compile_)
    ready = gathered.take(prepare, learner, data, settings, **asked)
    gathered.refuse()
    assert ready is not None

    from autometa.cli.show import emit, show_record
    from autometa.live import counting

    with counting(f"training {learner}") as tell:
        state = ready.run(out, resume=resume, device=device, tell=tell, say=partial(typer.echo, err=True))
    told = {
        "learner": learner,
        "data": data,
        "step": state.step,
        "steps": settings.steps,
        "validation": state.progress["best"],
        "best_step": state.progress["best_step"],
        "seconds": round(state.progress["seconds"], 1),
        "backend": state.progress["backend"],
        "stopped_early": state.progress["stopped"],
        "out": str(out),
    }
    emit(told) if as_json else show_record(told | {"next": f"autometa fewshot eval {out}"})


@_command
def eval_(
    folder: Folder,
    episodes: Annotated[str, typer.Option("--episodes", metavar="N", help="How many to draw.")] = "1000",
    way: Annotated[
        str | None, typer.Option("--way", metavar="N", help="Default: as trained.", rich_help_panel=EPISODES)
    ] = None,
    shot: Annotated[
        str | None, typer.Option("--shot", metavar="N", help="Default: as trained.", rich_help_panel=EPISODES)
    ] = None,
    query: Query = None,
    path: DataPath = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Such as test_steps=10.")
    ] = None,
    vary: Annotated[
        bool,
        typer.Option(
            "--vary", help="Draw ways and shots for each, and tell each domain's mean.", rich_help_panel=EPISODES
        ),
    ] = False,
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of the episodes.")] = "0",
    learner: OwnLearner = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Judge a trained learner on tasks of the test split: mean and 95 % interval."""
    from autometa.values import Gathered, whole

    gathered = Gathered()
    count = gathered.option(whole, "--episodes", episodes, 2)
    ways = gathered.option(whole, "--way", way, 2)
    shots = gathered.option(whole, "--shot", shot, 1)
    queries = gathered.option(whole, "--query", query, 1)
    first = gathered.option(whole, "--seed", seed, 0)
    options = gathered.take(_pairs, "--set", set_)
    gathered.option(device_named, "--device", device)
    for name, text in (("--way", way), ("--shot", shot), ("--query", query)):
        if vary and text is not None:
            gathered.problems.append(
                Problem(f"{name} {text}", "and --vary, which draws it for each", "Leave one of them out.")
            )
    gathered.refuse()

    from autometa.cli.show import emit, show_record
    from autometa.fewshot.backends import find_device
    from autometa.fewshot.checkpoint import Checkpoint
    from autometa.fewshot.evaluation import judge_checkpoint
    from autometa.fewshot.learners import find_learner
    from autometa.live import counting

    where = find_device(device)
    if learner is not None:
        find_learner(learner)  # so that the checkpoint finds it
    state = Checkpoint.load(folder, device=where)
    assert count is not None
    assert first is not None
    with counting(f"judging {state.learner}") as tell:
        how: dict[str, Any] = {
            "episodes": count,
            "seed": first,
            "path": path,
            "options": options or {},
            "device": where,
            "tell": tell,
        }
        if vary:
            from autometa.fewshot.varied import judge_varied

            told = judge_varied(state, **how)
        else:
            told = judge_checkpoint(state, way=ways, shot=shots, query=queries, **how)
    if as_json:
        emit(told)
        return
    each = {
        f"  {name}": f"{one['mean']:.4f} ± {one['interval_95']:.4f}" for name, one in told.pop("domains", {}).items()
    }
    show_record(told | each)


@_command
def list_(as_json: AsJson = False) -> None:
    """The learners, the data sets and the samplers there are, and what comes trained."""
    from autometa.cli.show import emit
    from autometa.fewshot import catalogue

    told = catalogue()
    if as_json:
        emit(told)
        return
    from rich.table import Table
    from rich.text import Text

    from autometa.cli.show import page

    console = page()
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("learner", "learns", "options", "source"):
        table.add_column(title, overflow="fold")
    for one in told["learners"]:
        options = ", ".join(f"{name}={value}" for name, value in one["options"].items())
        table.add_row(one["name"], ", ".join(one["kinds"]), Text(options), Text(one["source"]))
    console.print(table)
    console.print(Text(f"\ndata      {', '.join(told['data'])}\nsamplers  {', '.join(told['samplers'])}"))
    for one in told["pretrained"]:
        console.print(Text(f"trained   {one['name']}: {one['data']}; {one['licence']}"))


@_command
def predict(
    folder: Folder,
    support: Annotated[
        Path, typer.Argument(metavar="SUPPORT", help="Labelled examples: CSV, .npz (x, y) or folder CLASS/IMAGE.")
    ],
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="What to answer: CSV, .npz (x) or folder of images.")],
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COL", help="Column of the labels in the support's table.")
    ] = None,
    none: Annotated[
        str | None,
        typer.Option("--none", metavar="LABEL", help="Answer LABEL where a query is more probably of no class."),
    ] = None,
    learner: OwnLearner = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say which support examples drove each answer, and what adaptation changed."),
    ] = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Answer queries by a few labelled examples, as CSV."""
    from autometa.values import Gathered

    gathered = Gathered()
    gathered.option(device_named, "--device", device)
    gathered.refuse()

    from autometa.cli.fewshot_page import show_answers
    from autometa.cli.show import emit
    from autometa.fewshot.backends import find_device
    from autometa.fewshot.checkpoint import Checkpoint
    from autometa.fewshot.inputs import read_examples
    from autometa.fewshot.learners import find_learner
    from autometa.fewshot.trained import Trained

    where = find_device(device)
    if learner is not None:
        find_learner(learner)  # so that the checkpoint finds it
    state = Checkpoint.load(folder, device=where)
    trained = Trained.of(state, where)
    given = gathered.take(read_examples, support, state.problem, labelled=True, target=target, data=state.data)
    asked = gathered.take(
        read_examples, query, state.problem, labelled=False, target=target, support=given, data=state.data
    )
    gathered.refuse()
    assert given is not None
    assert asked is not None
    assert given.y is not None
    adapted = trained.adapt(given.x, given.y)
    answers = adapted.answer(asked.x)  # (q, c) or (q, o)
    told: dict[str, Any] = {"learner": state.learner, "queries": len(answers)}
    if state.problem.kind == "classification":
        classes = adapted.classes
        told |= {
            "classes": classes,
            "predictions": [classes[k] for k in answers.argmax(1)],
            "probabilities": answers.tolist(),
        }
        if none is not None:
            strange = adapted.none(asked.x)
            told["none"] = strange.tolist()
            told["predictions"] = [
                none if stranger > 0.5 else found for stranger, found in zip(strange, told["predictions"], strict=True)
            ]
    else:
        told["predictions"] = answers.tolist()
    told["names"] = asked.names
    if explain:
        told["explanations"] = adapted.explain(asked.x)
        told["support_names"] = given.names
    emit(told) if as_json else show_answers(told)


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """``name=value`` texts as a dictionary."""
    wrong = [Problem(f"{option} {text}", "is not NAME=VALUE") for text in texts or [] if "=" not in text]
    if wrong:
        raise InputError(wrong)
    return {name.strip(): value for name, _, value in (text.partition("=") for text in texts or [])}


def _number(option: str, text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError(Problem(f"{option} {text}", "is not a number above 0"))
    return value
