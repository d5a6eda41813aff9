# The plan is made here, once, from the config: chunks with their keys. The rules only say how chunks become jobs.
import sys
import time
from pathlib import Path

from glitchmark import summary
from glitchmark.chunks import Workflow
from glitchmark.config import retyped, validated
from glitchmark.errors import UserError
from glitchmark.lock import hold

STARTED = time.time()
try:
    settings = retyped(workflow.config_settings.config or {})
    run = Workflow(validated({**config, **settings}, Path(workflow.basedir)))
    # jobs on other machines read this file as well; the lock is the main process's, and ends with it
    lock = hold(run.config["results_dir"]) if workflow.is_main_process else None
except UserError as error:
    print(f"glitchmark: {error}", file=sys.stderr)
    sys.exit(2)
run.write_orders()
run.forget_outdated()
TO_DO = run.missing()


def needs(stage, chunk):
    """The manifests that a chunk's job needs first; ancient, since their names, not their times, tell what is new."""
    return [ancient(manifest) for manifest in run.upstream(stage, chunk)]


def chunk_input(stage):
    """What a chunk's job needs first, as an input function."""
    return lambda wildcards: needs(stage, wildcards.chunk)


def figure_files():
    """What the run draws."""
    return [
        f"{run.figures}/{name}.{kind}"
        for name in run.names("figure")
        for kind in ("pdf", "png")
    ]


wildcard_constraints:
    chunk="[a-z0-9_-]+",
    digest="[0-9a-f]+",


include: "subsample.smk"
include: "inject.smk"
include: "features.smk"
include: "train.smk"
include: "influence.smk"
include: "score.smk"
include: "detect.smk"
include: "evaluate.smk"
include: "figures.smk"


onsuccess:
    summary.show(run, STARTED, TO_DO)


onerror:
    summary.show(run, STARTED, TO_DO)
