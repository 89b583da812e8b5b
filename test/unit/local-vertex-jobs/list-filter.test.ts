import { expect, test } from "vitest";
import { compileFilter, sortBy } from "../../../infra/local/vertex/jobs/list-filter.js";

interface Item {
  readonly name: string;
  readonly state: string;
  readonly ms?: number;
}

const items: readonly Item[] = [
  { name: "alpha", state: "RUNNING", ms: Date.UTC(2026, 0, 1) },
  { name: "beta one", state: "FAILED", ms: Date.UTC(2026, 0, 2) },
  { name: "gamma", state: "FAILED" },
];

const fieldsOf = (item: Item, field: string) => {
  switch (field) {
    case "display_name":
      return item.name;
    case "state":
      return item.state;
    case "labels.first":
      return item.name === "alpha" ? "yes" : undefined;
    case "create_time":
      return item.ms === undefined ? undefined : { ms: item.ms };
    default:
      return null;
  }
};

const names = (filter: string): readonly string[] =>
  items.filter(compileFilter(filter, fieldsOf)).map(({ name }) => name);

test.each([
  ["", ["alpha", "beta one", "gamma"]],
  ["state=FAILED", ["beta one", "gamma"]],
  ['state!="FAILED"', ["alpha"]],
  ['display_name:"*a*" AND state="FAILED"', ["beta one", "gamma"]],
  ['display_name:"beta"', ["beta one"]],
  ["labels.first=yes", ["alpha"]],
  ["labels.first:*", ["alpha"]],
  ["NOT labels.first:*", ["beta one", "gamma"]],
  ['create_time>"2026-01-01T12:00:00Z"', ["beta one"]],
  ["create_time>=2026-01-01T00:00:00Z", ["alpha", "beta one"]],
  ["state=FAILED display_name=gamma", ["gamma"]],
  ['(state=RUNNING OR display_name=gamma) AND display_name!="x"', ["alpha", "gamma"]],
  // OR binds more closely than AND.
  ["state=FAILED AND display_name=alpha OR display_name=gamma", ["gamma"]],
])("%s finds %j", (filter, found) => {
  expect(names(filter)).toEqual(found);
});

test.each([
  "colour=red",
  "state",
  "state=",
  "=x",
  "(state=FAILED",
  'state>"FAILED"',
  'create_time>"yesterday"',
  'display_name="open',
])("%s is refused", (filter) => {
  expect(() => names(filter)).toThrow(/list filter is not valid/);
});

test("jobs are sorted by their times", () => {
  expect(sortBy(items, "create_time desc", fieldsOf).map(({ name }) => name)).toEqual([
    "beta one",
    "alpha",
    "gamma",
  ]);
  expect(sortBy(items, "create_time", fieldsOf).map(({ name }) => name)).toEqual([
    "gamma",
    "alpha",
    "beta one",
  ]);
  expect(() => sortBy(items, "colour", fieldsOf)).toThrow(/Cannot order/);
});
