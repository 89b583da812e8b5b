import { expect, test } from "vitest";
import { table, wrap } from "../../../infra/cli/table.js";

const rows = [
  {
    name: "flights-late",
    count: 7,
    why: "the challenger is better on every slice that was looked at",
  },
  { name: "churn", count: 1200, why: "two\nlines" },
];

const columns = [
  { title: "name", cell: ({ name }: (typeof rows)[number]) => name },
  { title: "count", cell: ({ count }: (typeof rows)[number]) => String(count), align: "right" },
  { title: "why", cell: ({ why }: (typeof rows)[number]) => why, isFlexible: true },
] as const;

test("columns are aligned and a row is one line", () => {
  expect(table(rows, columns, { width: 200 })).toBe(
    [
      "NAME          COUNT  WHY",
      "flights-late      7  the challenger is better on every slice that was looked at",
      "churn          1200  two lines",
    ].join("\n"),
  );
});

test.each([40, 60, 80, 100])("a table fits %i columns", (width) => {
  const lines = table(rows, columns, { width }).split("\n");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width);
  expect(lines[1]).toContain("flights-late");
});

test("a cell without room ends with an ellipsis", () => {
  expect(table(rows, columns, { width: 40 }).split("\n")[1]).toMatch(/…$/);
});

test("a paragraph is broken between words and indented after its first line", () => {
  expect(wrap("one two three four five", 12, 2)).toBe("one two\n  three four\n  five");
});
