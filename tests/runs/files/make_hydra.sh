#!/bin/sh
# Writes hydra/: six jobs of Hydra 1.3.8, two of which broke.  Run it in an empty folder, in an environment that has hydra-core,
# with the path of hydra_app.py.  The folder itself, which stands in the files, is taken out.
for optimizer in sgd adam; do
    python "$1" -m "hydra.sweep.dir=hydra/$optimizer" seed=0,1,2 "optimizer=$optimizer"
done
find hydra -name '*.yaml' -exec sed -i "s#$PWD#/runs#g" {} +
find hydra \( -name '*.log' -o -name multirun.yaml \) -delete
