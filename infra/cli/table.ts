/** Tables that fit the terminal. */

/** One column: its heading and how a row fills it. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: "left" | "right";
  /** A column that gives way when the table is too wide. */
  readonly isFlexible?: boolean;
}

const gap = 2;
const flexibleWidthMin = 10;

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

const fit = (text: string, width: number, align: "left" | "right"): string =>
  align === "right" ? cut(text, width).padStart(width) : cut(text, width).padEnd(width);

const widthsFor = <Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): readonly number[] => {
  const natural = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const total = natural.reduce((sum, one) => sum + one, gap * (columns.length - 1));
  const flexible = columns.flatMap(({ isFlexible }, index) => (isFlexible === true ? [index] : []));
  let excess = Math.max(0, total - width);
  const widths = [...natural];
  // The widest flexible column gives way first.
  while (excess > 0) {
    const widest = flexible.toSorted(
      (left, right) => (widths[right] ?? 0) - (widths[left] ?? 0),
    )[0];
    if (widest === undefined || (widths[widest] ?? 0) <= flexibleWidthMin) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
};

/** Rows under their headings, aligned, at most `width` wide where flexible columns allow it. */
export const table = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { readonly width: number; readonly heading?: (text: string) => string },
): string => {
  const cells = rows.map((row) => columns.map(({ cell }) => oneLine(cell(row))));
  const widths = widthsFor(columns, cells, options.width);
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => fit(text, widths[index] ?? 0, columns[index]?.align ?? "left"))
      .join(" ".repeat(gap))
      .trimEnd();
  const heading = line(columns.map(({ title }) => title.toUpperCase()));
  return [options.heading?.(heading) ?? heading, ...cells.map(line)].join("\n");
};

/** Text broken into lines of at most `width`, each after the first indented. */
export const wrap = (text: string, width: number, indent = 0): string => {
  const lines: string[] = [];
  let line = "";
  for (const word of oneLine(text).split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width - indent) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
};
