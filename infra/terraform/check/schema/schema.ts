/** The compact schema of the provider's resources. */
import { readFileSync } from "node:fs";
import { z } from "zod";

/** Required, optional, or only known once it is applied. */
type Presence = "r" | "o" | "c";

/** What a resource or a nested block takes. */
export interface BlockSchema {
  readonly attributes: Readonly<Record<string, Presence>>;
  readonly blocks?:
    Readonly<Record<string, BlockSchema & { readonly isRequired: boolean }>> | undefined;
}

const presence = z.enum(["r", "o", "c"]);
const nested: z.ZodType<BlockSchema & { readonly isRequired: boolean }> = z.lazy(() =>
  z.object({
    isRequired: z.boolean(),
    attributes: z.record(z.string(), presence),
    blocks: z.record(z.string(), nested).optional(),
  }),
);
const schemaFile = z.object({
  provider: z.string(),
  version: z.string(),
  resources: z.record(
    z.string(),
    z.object({
      attributes: z.record(z.string(), presence),
      blocks: z.record(z.string(), nested).optional(),
    }),
  ),
});

/** The provider that the schema was read from, and its resources. */
export type ProviderSchema = z.infer<typeof schemaFile>;

/** Reads the committed schema. */
export const providerSchema = (): ProviderSchema =>
  schemaFile.parse(
    JSON.parse(readFileSync(new URL("provider-schema.json", import.meta.url), "utf8")),
  );
