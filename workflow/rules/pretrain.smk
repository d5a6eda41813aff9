# Backbones that are trained from scratch, `snakemake --cores 2 pretrain --configfile config/pretrain.yaml`; no part of
# the grid.
from glitchmark import recipes

try:
    PRETRAINING = recipes.orders(run.config)
except UserError as error:
    print(f"glitchmark: {error}", file=sys.stderr)
    sys.exit(2)
if workflow.is_main_process and not is_dry_run(sys.argv[1:]):
    for order in PRETRAINING:
        recipes.write(order)


localrules:
    pretrain,


# A rule for each backbone, since its files are called like the backbone and its manifest like its digest.
for order in PRETRAINING:

    rule:
        name:
            f"pretrain_{order['recipe']['name']}"
        output:
            manifest=order["manifest"],
            # what was there before stays until the new weights are complete
            weights=update(order["weights"]),
            card=update(order["card"]),
        threads: run.config["threads"]
        resources:
            mem_mb=2500,
        params:
            order=order["order"],
        message:
            f"Pretraining {order['recipe']['name']}"
        shell:
            "{sys.executable:q} -m glitchmark.pretraining {params.order:q}"


if PRETRAINING:

    rule pretrain:
        input:
            [
                order[name]
                for order in PRETRAINING
                for name in ("manifest", "weights", "card")
            ],

else:

    rule pretrain:
        message:
            "Looking for recipes"
        shell:
            "echo 'glitchmark: this config has no recipes under pretraining; add --configfile config/pretrain.yaml.' "
            ">&2; exit 2"
