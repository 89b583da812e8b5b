/** Reads a Terraform file. */
import { readExpression } from "./expression.js";
import { readerOf, type Reader } from "./reader.js";
import type { Attribute, Block, Body } from "./syntax.js";

const identifier = /[A-Za-z_][A-Za-z0-9_-]*/;

const labelsOf = (reader: Reader): string[] => {
  const labels: string[] = [];
  for (;;) {
    reader.skip();
    const label = reader.matches(/"[^"\n]*"/) ?? reader.matches(identifier);
    if (label === null) return labels;
    labels.push(reader.take(label.length).replaceAll('"', ""));
  }
};

const readBody = (reader: Reader, isOver: () => boolean): Body => {
  const attributes: Attribute[] = [];
  const blocks: Block[] = [];
  for (;;) {
    reader.skipLines();
    if (isOver()) return { attributes, blocks };
    const line = reader.line();
    const name = reader.matches(identifier) ?? reader.fail("expected an attribute or a block");
    reader.take(name.length);
    reader.skip();
    if (reader.sees("=") && !reader.sees("==")) {
      reader.expect("=");
      attributes.push({ name, value: readExpression(reader), line });
      reader.skip();
      if (!reader.isAtEnd() && !reader.sees("\n") && !isOver()) {
        reader.fail("expected the end of the line after an attribute");
      }
    } else {
      const labels = labelsOf(reader);
      reader.expect("{");
      const body = readBody(reader, () => reader.sees("}"));
      reader.expect("}");
      blocks.push({ type: name, labels, body, line });
    }
  }
};

/** The file's syntax tree; throws HclSyntaxError with the line of the mistake. */
export const parseHcl = (text: string): Body => {
  const reader = readerOf(text);
  return readBody(reader, () => reader.isAtEnd());
};
