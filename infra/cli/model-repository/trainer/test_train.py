"""python3 -m unittest discover trainer"""

import datetime
import json
import pathlib
import random
import tempfile
import unittest

import train

FEATURES = [{"name": "calls", "type": "numeric"}, {"name": "plan", "type": "categorical"}]
CONFIG = {
    "label": "churned",
    "positiveClass": "yes",
    "timeColumn": "date",
    "holdoutDays": 7,
    "features": FEATURES,
}


def rows(count):
    draw = random.Random(1)
    start = datetime.datetime(2026, 1, 1)
    made = []
    for index in range(count):
        calls, plan = draw.randrange(10), draw.choice(["basic", "plus"])
        leaves = draw.random() < train.sigmoid(0.6 * calls - 3 + (1 if plan == "basic" else 0))
        made.append(
            {
                "date": (start + datetime.timedelta(days=28 * index / count)).isoformat(),
                "calls": "" if draw.random() < 0.05 else str(calls),
                "plan": plan,
                "churned": "yes" if leaves else "no",
            }
        )
    return made


class Training(unittest.TestCase):
    def test_holds_the_last_days_out(self):
        training, holdout, cutoff = train.split([rows(280)], CONFIG)
        self.assertEqual(cutoff.date(), datetime.date(2026, 1, 22))
        self.assertEqual((len(training), len(holdout)), (210, 70))

    def test_finds_what_makes_customers_leave(self):
        made = train.train(rows(2000), CONFIG, ["a.csv"], datetime.datetime(2026, 1, 22))
        calls, plan = made["predictor"]["weights"]
        self.assertAlmostEqual(calls["weight"] / calls["scale"], 0.6, delta=0.1)
        basic, plus = plan["byCategory"]
        self.assertAlmostEqual(basic - plus, 1, delta=0.4)
        self.assertGreater(made["training"]["metrics"]["auc"], 0.75)

    def test_writes_a_model_and_the_rows_to_evaluate_on(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            train.write_rows(folder / "rows.csv", rows(280))
            train.main(
                [
                    "--datasets",
                    json.dumps([str(folder / "rows.csv")]),
                    "--config",
                    json.dumps(CONFIG),
                    "--model",
                    str(folder / "model"),
                    "--holdout",
                    str(folder / "holdout"),
                ]
            )
            model = json.loads((folder / "model/model.json").read_text())
            self.assertEqual(model["classes"], ["no", "yes"])
            self.assertEqual(sum(model["training"]["score"]["counts"]), 210)
            self.assertEqual(len(train.read_rows(str(folder / "holdout"))), 70)


if __name__ == "__main__":
    unittest.main()
