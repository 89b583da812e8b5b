"""Trains a logistic regression and writes it as a model.json that Continuo's evaluator and predictor read.

Needs nothing but Python. Replace `fit` by what you train with; what Continuo asks of a trainer is the rest:
its arguments, the holdout that it must not train on, and the two things that it writes.
"""

import argparse
import csv
import datetime
import json
import math
import os
import pathlib
import sys
import urllib.parse
import urllib.request

VERSION = "1.0.0"
PENALTY = 1.0
STEPS_MAX = 25
EDGES = 10


def read_text(address):
    """A file's text, by path or gs:// address; Vertex AI mounts the buckets below /gcs."""
    if not address.startswith("gs://"):
        return pathlib.Path(address).read_text(encoding="utf-8")
    bucket, _, name = address[len("gs://"):].partition("/")
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    if host is None:
        return pathlib.Path("/gcs", bucket, name).read_text(encoding="utf-8")
    url = f"{host}/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media"
    with urllib.request.urlopen(url) as response:
        return response.read().decode("utf-8")


def read_rows(address):
    """The rows of a CSV file with a header line."""
    return list(csv.DictReader(read_text(address).splitlines()))


def time_of(row, column):
    return datetime.datetime.fromisoformat(row[column].replace("Z", "+00:00")).replace(
        tzinfo=datetime.timezone.utc
    )


def split(versions, config):
    """Training rows of all versions, and the newest version's last days, which nobody trains on."""
    column = config.get("timeColumn")
    if column is None:
        raise ValueError("this trainer holds rows out by time: set dataset.timeColumn in model.yaml")
    newest = max(time_of(row, column) for row in versions[-1])
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    cutoff = midnight + datetime.timedelta(days=1 - config.get("holdoutDays", 7))
    training = [row for rows in versions for row in rows if time_of(row, column) < cutoff]
    holdout = [row for row in versions[-1] if time_of(row, column) >= cutoff]
    return training, holdout, cutoff


def number(text):
    """A number, or None for what is missing."""
    return float(text) if text not in ("", None) else None


class Encoder:
    """Rows as numbers: a numeric feature scaled and a flag for missing, a categorical one a column per category."""

    def __init__(self, features, rows):
        self.features = []
        self.width = 0
        for feature in features:
            values = [row[feature["name"]] for row in rows]
            known = {"name": feature["name"], "type": feature["type"], "start": self.width}
            if feature["type"] == "numeric":
                present = [value for value in map(number, values) if value is not None]
                mean = sum(present) / max(1, len(present))
                variance = sum((value - mean) ** 2 for value in present) / max(1, len(present))
                known |= {"mean": mean, "scale": math.sqrt(variance) or 1.0}
                self.width += 2
            else:
                known["categories"] = sorted({value for value in values if value != ""})
                self.width += len(known["categories"]) + 1
            self.features.append(known)
        self.width += 1

    def row(self, row):
        """Positions and values of one row's cells that are not 0; the last position is the intercept."""
        cells = []
        for feature in self.features:
            start, text = feature["start"], row[feature["name"]]
            if feature["type"] == "numeric":
                value = number(text)
                scaled = 0.0 if value is None else (value - feature["mean"]) / feature["scale"]
                cells.append((start + 1, 1.0) if value is None else (start, scaled))
            else:
                categories = feature["categories"]
                known = text in categories
                cells.append((start + (categories.index(text) if known else len(categories)), 1.0))
        cells.append((self.width - 1, 1.0))
        return cells


def sigmoid(value):
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def solve(matrix, vector):
    """Gaussian elimination with pivoting."""
    size = len(vector)
    rows = [list(row) + [value] for row, value in zip(matrix, vector)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda index: abs(rows[index][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for below in range(column + 1, size):
            factor = rows[below][column] / rows[column][column]
            for index in range(column, size + 1):
                rows[below][index] -= factor * rows[column][index]
    answer = [0.0] * size
    for column in reversed(range(size)):
        known = sum(rows[column][index] * answer[index] for index in range(column + 1, size))
        answer[column] = (rows[column][size] - known) / rows[column][column]
    return answer


def fit(cells, labels, width):
    """Weights of an L2-regularised logistic regression, by Newton's method; the intercept is not penalised."""
    weights = [0.0] * width
    for _ in range(STEPS_MAX):
        gradient = [PENALTY * weight for weight in weights]
        hessian = [[PENALTY if i == j else 0.0 for j in range(width)] for i in range(width)]
        gradient[-1], hessian[-1][-1] = 0.0, 1e-9
        for row, label in zip(cells, labels):
            chance = sigmoid(sum(weights[index] * value for index, value in row))
            for i, a in row:
                gradient[i] += (chance - label) * a
                for j, b in row:
                    hessian[i][j] += chance * (1 - chance) * a * b
        step = solve(hessian, gradient)
        weights = [weight - change for weight, change in zip(weights, step)]
        if max(map(abs, step)) < 1e-8:
            break
    return weights


def area_under_roc(labels, scores):
    ranked = sorted(zip(scores, labels))
    positives = sum(labels)
    total, index = 0.0, 0
    while index < len(ranked):
        tied = index
        while tied < len(ranked) and ranked[tied][0] == ranked[index][0]:
            tied += 1
        total += sum(label for _, label in ranked[index:tied]) * (index + tied + 1) / 2
        index = tied
    return (total - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def numeric_distribution(values):
    """Counts below, between and above edges that part the values evenly: drift is measured against them."""
    present = sorted(value for value in values if value is not None)
    picked = (present[len(present) * part // EDGES] for part in range(1, EDGES)) if present else ()
    edges = sorted(set(picked))
    counts = [0] * (len(edges) + 1)
    for value in present:
        counts[sum(value >= edge for edge in edges)] += 1
    return {
        "type": "numeric",
        "edges": edges,
        "counts": counts,
        "missing": len(values) - len(present),
    }


def distribution(feature, rows):
    values = [row[feature["name"]] for row in rows]
    if feature["type"] == "numeric":
        return numeric_distribution([number(value) for value in values])
    counts = {name: values.count(name) for name in feature["categories"]}
    return {"type": "categorical", "counts": counts, "other": 0, "missing": values.count("")}


def stored_weight(feature, weights):
    start = feature["start"]
    if feature["type"] == "numeric":
        return {
            "type": "numeric",
            "mean": feature["mean"],
            "scale": feature["scale"],
            "weight": weights[start],
            "missing": weights[start + 1],
        }
    end = start + len(feature["categories"])
    return {"type": "categorical", "byCategory": weights[start:end], "missing": weights[end]}


def train(rows, config, datasets, before):
    """The model as Continuo stores it."""
    label, positive = config["label"], config["positiveClass"]
    labels = [1 if row[label] == positive else 0 for row in rows]
    negatives = sorted({row[label] for row in rows if row[label] != positive})
    if len(negatives) != 1 or sum(labels) == 0:
        raise ValueError(f"the label {label} must be {positive} and one other class in the training rows")
    encoder = Encoder(config["features"], rows)
    cells = [encoder.row(row) for row in rows]
    weights = fit(cells, labels, encoder.width)
    scores = [sigmoid(sum(weights[index] * value for index, value in row)) for row in cells]
    chances = [score if label == 1 else 1 - score for score, label in zip(scores, labels)]
    return {
        "format": "continuo-model",
        "formatVersion": 1,
        "trainer": {"name": "logistic-regression.py", "version": VERSION},
        "algorithm": "logistic-regression",
        "parameters": {"penalty": PENALTY},
        "seed": 0,
        "label": label,
        "classes": [negatives[0], positive],
        "features": [
            {key: feature[key] for key in ("name", "type", "categories") if key in feature}
            for feature in encoder.features
        ],
        "training": {
            "rows": len(rows),
            "positiveRate": sum(labels) / len(rows),
            "before": before.isoformat(),
            "datasets": datasets,
            "metrics": {
                "auc": area_under_roc(labels, scores),
                "logLoss": -sum(math.log(max(chance, 1e-15)) for chance in chances) / len(rows),
            },
            "distributions": {
                feature["name"]: distribution(feature, rows) for feature in encoder.features
            },
            "score": numeric_distribution(scores),
        },
        "predictor": {
            "algorithm": "logistic-regression",
            "intercept": weights[-1],
            "weights": [stored_weight(feature, weights) for feature in encoder.features],
        },
    }


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", required=True, help="JSON list of addresses, oldest first")
    parser.add_argument("--config", required=True, help="JSON: what training needs of model.yaml")
    parser.add_argument("--fingerprint", default="", help="part of the cache's key alone")
    parser.add_argument("--model", required=True, help="folder for model.json")
    parser.add_argument("--holdout", required=True, help="file for the rows to evaluate on")
    options = parser.parse_args(arguments)
    datasets, config = json.loads(options.datasets), json.loads(options.config)
    training, holdout, cutoff = split([read_rows(address) for address in datasets], config)
    model = train(training, config, datasets, cutoff)
    folder = pathlib.Path(options.model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")
    write_rows(pathlib.Path(options.holdout), holdout)
    print(json.dumps({"message": "trained", "rows": len(training), **model["training"]["metrics"]}))


if __name__ == "__main__":
    main(sys.argv[1:])
