"""One module a stage of the workflow, each with ``compute(spec, inputs, runtime) -> (arrays, info)``.

spec: what the result depends on (JSON values, part of its key). inputs: name -> stored entry, opened lazily.
runtime: what it does not depend on: ``threads`` and ``paths`` (of files whose digests are in the spec).
A stage's key covers the sources that its module imports, so each imports what it computes with and nothing else.
"""
