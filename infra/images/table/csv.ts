/** Comma-separated values as in RFC 4180: quotes, doubled quotes, line ends inside quotes. */

/** Records of cells; blank lines are left out. */
export function parseCsv(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = "";
  let isQuoted = false;
  const endRecord = (): void => {
    record.push(cell);
    if (record.length > 1 || cell !== "") records.push(record);
    record = [];
    cell = "";
  };
  const start = text.startsWith("\uFEFF") ? 1 : 0;
  for (let i = start; i < text.length; i += 1) {
    const character = text[i];
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === ",") {
      record.push(cell);
      cell = "";
    } else if (character === "\n") endRecord();
    else if (character !== "\r") cell += character;
  }
  if (cell !== "" || record.length > 0) endRecord();
  return records;
}
