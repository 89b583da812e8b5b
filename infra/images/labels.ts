/** Reads the label column as 0 and 1. */
import { ImageError } from "./arguments.js";
import { asText, type Table } from "./table/table.js";

/** Labels of all rows and the names of both classes, negative first. */
export interface Labels {
  readonly labels: Uint8Array;
  readonly classes: readonly [string, string];
}

/** The other class's name when the column shows only one class. */
const otherClass = (positiveClass: string): string => `not-${positiveClass}`;

/** The label column as 1 for the positive class; an error says which values were found instead. */
export function readLabels(table: Table, label: string, positiveClass: string | undefined): Labels {
  if (positiveClass === undefined) {
    throw new ImageError(
      `the positive class of ${label} is not configured: Continuo trains and scores binary classifiers`,
    );
  }
  const column = table.columns.get(label);
  if (column === undefined) throw new ImageError(`the label column ${label} is not in the rows`);
  const { codes, dictionary } = asText(column);
  const missing = codes.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0);
  if (missing > 0) {
    throw new ImageError(`the label ${label} is missing in ${missing} of ${table.rows} rows`);
  }
  const others = dictionary.filter((value) => value !== positiveClass);
  if (others.length > 1) {
    const seen = dictionary.slice(0, 5).join(", ");
    throw new ImageError(
      `the label ${label} must hold two classes, it holds ${dictionary.length}: ${seen}`,
    );
  }
  const positive = dictionary.indexOf(positiveClass);
  return {
    labels: Uint8Array.from(codes, (code) => (code === positive ? 1 : 0)),
    classes: [others[0] ?? otherClass(positiveClass), positiveClass],
  };
}
