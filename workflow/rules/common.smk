# The plan is made here, once, from the config: chunks with their keys. The rules only say how chunks become jobs.
import sys
import time
from pathlib import Path

from glitchmark import summary
from glitchmark.chunks import Workflow
from glitchmark.cli import is_dry_run
from glitchmark.config import retyped, validated
from glitchmark.errors import UserError
from glitchmark.lock import hold

STARTED = time.time()
try:
    settings = retyped(workflow.config_settings.config or {})
    run = Workflow(validated({**config, **settings}, Path(workflow.basedir)))
    # Jobs on other machines read this file as well, and so does a dry run: only a real run writes. Its lock ends with it.
    if workflow.is_main_process and not is_dry_run(sys.argv[1:]):
        lock = hold(run.config["results_dir"])
        run.write_orders()
        run.forget_lost()
except UserError as error:
    print(f"glitchmark: {error}", file=sys.stderr)
    sys.exit(2)
TO_DO = run.missing()


def needs(stage, chunk):
    """The manifests that a chunk's job needs first; ancient, since their names, not their times, tell what is new."""
    return [ancient(manifest) for manifest in run.upstream(stage, chunk)]


def chunk_input(stage):
    """What a chunk's job needs first, as an input function."""
    return lambda wildcards: needs(stage, wildcards.chunk)


wildcard_constraints:
    chunk="[a-z0-9_-]+",
    digest="[0-9a-f]+",


include: "subsample.smk"
include: "inject.smk"
include: "samples.smk"
include: "features.smk"
include: "train.smk"
include: "influence.smk"
include: "score.smk"
include: "detect.smk"
include: "toys.smk"
include: "evaluate.smk"
include: "figures.smk"
include: "report.smk"


onsuccess:
    summary.show(run, STARTED, TO_DO, stopped=False)


onerror:
    summary.show(run, STARTED, TO_DO, stopped=True)
