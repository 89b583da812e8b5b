"""Customers to try everything with: `python3 data/make.py 2026-01 > data/2026-01.csv`. The same month is the same file."""

import csv
import datetime
import math
import random
import sys

ROWS = 3000
PLANS = {"basic": 20.0, "plus": 35.0, "family": 55.0}


def main(month):
    start = datetime.datetime.fromisoformat(f"{month}-01")
    draw = random.Random(month)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["date", "tenureMonths", "callsToSupport", "monthlyFee", "plan", "churned"])
    for index in range(ROWS):
        date = start + datetime.timedelta(days=28 * index / ROWS)
        plan = draw.choices(list(PLANS), weights=[5, 3, 2])[0]
        tenure, calls = draw.randrange(1, 72), min(12, int(draw.expovariate(0.5)))
        fee = round(PLANS[plan] * draw.uniform(0.8, 1.2), 2)
        odds = 0.35 * calls - 0.04 * tenure + 0.02 * fee - 1.2
        leaves = draw.random() < 1 / (1 + math.exp(-odds))
        writer.writerow([date.isoformat(), tenure, calls, fee, plan, "yes" if leaves else "no"])


if __name__ == "__main__":
    main(sys.argv[1])
