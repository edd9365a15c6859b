"""The command line: a command parses, calls one room, and prints.

    fit        a table in, a tuned and explained model out          estimator.fit_file
    predict    answers of a saved model                             estimator.load_model
    resume     continues a run that was stopped or killed           search.resume
    report     what happened, as one HTML file                      report.write
    remember   a finished run joins the memory                      search.remember_run
    verify     what of a run or a store is damaged, and repairs     search.verify_run
    key        takes one's key to another machine                   search.keys
    recommend  what to try first, without trying it                 recommend
    collect    fills a store with evaluations on many tables        collect.collect
    learn      trains the surrogate of a space of one's own         learn.learn
    bench      methods on the splits of a suite, and who is better  bench.session
    store      looks into a store, and tends it                     store.MetaStore
    fewshot    learners that learn a new task from a few examples   fewshot.train, fewshot.Trained
    doctor     whether everything here works                        cli.doctor

Law: with ``--json`` a command prints exactly one JSON value on standard output, and nothing else there; progress and
refusals go to standard error. An `AutoMetaError` becomes one line for each problem and its exit code: 2 for bad input
or usage, 3 for a store or run that cannot be used, 4 when the budget ended without a model, 130 when interrupted.

    app      the program and its registry, shared options, main     table     fit, resume, predict, report
    usage    help pages and refusals, in one style                  memory    recommend, collect
    values   what people type, as values                            store     store, with imports and studies
    show     one JSON value, or a page                              live      progress
    trust    verify, key, remember
    result_page · memory_page · bench_page   what a person reads    options   widths, numbers of lines, waits

Start-up is a feature: this room imports typer, and nothing heavier before a command runs; a command's file is read when
it is called. To add a command, see `app`.
"""

from __future__ import annotations

from autometa.cli.app import app, main

__all__ = ["app", "main"]
