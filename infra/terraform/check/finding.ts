/** What the checker tells. */

/** One mistake: where it is, what is wrong, and what to do. */
export interface Finding {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly fix: string;
}

/** A finding as people read it. */
export const textOfFinding = ({ rule, file, line, message, fix }: Finding): string =>
  `${file}:${String(line)}: ${message}. ${fix} [${rule}]`;

/** Each finding once, in the order of files and lines. */
export const inOrder = (findings: readonly Finding[]): readonly Finding[] =>
  [...new Map(findings.map((finding) => [textOfFinding(finding), finding])).values()].toSorted(
    (left, right) =>
      left.file === right.file ? left.line - right.line : left.file < right.file ? -1 : 1,
  );
