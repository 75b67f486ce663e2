#!/usr/bin/env bash
# cleanlab 2.9.0: find_label_issues(filter_by="confident_learning") finds fewer wrong labels than its confident joint counts.
#
# Expected: one issue for each sample off the diagonal of the confident joint, which is how the paper defines the method
# ("Confident Learning: Estimating Uncertainty in Dataset Labels", Northcutt et al. 2021) and what compute_confident_joint counts.
# Seen: a sample whose likeliest class is its given label is dropped, though the joint has it off the diagonal: where its own class
# has a high threshold and another class a low one that its probability passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cleanlab==2.9.0
venv/bin/python << 'END'
import numpy as np
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

labels = np.array([0] * 9 + [1] * 10)
first = [0.95] * 8 + [0.55] + [0.65] * 9 + [0.05]  # probability of class 0
probabilities = np.column_stack([first, 1 - np.array(first)])
thresholds = [probabilities[labels == k, k].mean() for k in (0, 1)]
print(f"thresholds: {thresholds[0]:.3f} and {thresholds[1]:.3f}; sample 8, labelled 0, has {probabilities[8]}")
joint = compute_confident_joint(labels, probabilities, calibrate=False)
found = find_label_issues(labels, probabilities, filter_by="confident_learning")
print(f"confident joint:\n{joint}\nissues: {np.flatnonzero(found).tolist()}")
by_hand = [n for n, p in enumerate(probabilities) if p[1 - labels[n]] >= thresholds[1 - labels[n]] and p[labels[n]] < thresholds[labels[n]]]
assert by_hand == [8] and joint[0, 1] == 1 and joint[1, 0] == 0, "changed: the joint counts otherwise"
assert not found.any(), "changed: the sample off the diagonal is an issue now"
print("as seen: the joint has one sample off its diagonal, and none is an issue")
END
