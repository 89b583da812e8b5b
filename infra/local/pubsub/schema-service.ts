/** google.pubsub.v1.SchemaService. */
import { page } from "../protocol/masks.js";
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import type { Engine } from "./engine.js";
import type { Names } from "./names.js";
import type { Schema } from "./shapes.js";

interface Named {
  readonly name?: string;
  readonly revisionId?: string;
}
interface Viewed {
  readonly view?: string;
}
interface Paged {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

const bare = (schema: Schema): Schema => {
  const { definition: _, ...rest } = schema;
  return rest;
};

/** Schemas and what they let pass. */
export function schemaService(engine: Engine, names: Names): ServiceImplementation {
  const { schemas } = engine;
  /** A schema's name, and the revision that may stand behind it. */
  const parse = (
    text: string | undefined,
  ): { readonly name: string; readonly revision?: string } => {
    const [name, revision] = (text ?? "").split("@");
    const found = names.resource("schemas", name);
    return revision === undefined ? { name: found } : { name: found, revision };
  };
  const find = (text: string | undefined): Schema => {
    const { name, revision } = parse(text);
    const schema = schemas.find(name, revision);
    // A schema that was asked for with its revision is named with it.
    return revision === undefined ? schema : { ...schema, name: `${name}@${revision}` };
  };
  const named = (request: Named): { readonly name: string; readonly revision: string } => {
    const { name, revision = request.revisionId ?? "" } = parse(request.name);
    if (revision === "") {
      throw new RpcError("INVALID_ARGUMENT", `Name the revision, as in ${name}@c7cfa2a8.`);
    }
    return { name, revision };
  };

  return {
    service: "google.pubsub.v1.SchemaService",
    unary: {
      CreateSchema: (request: {
        readonly parent?: string;
        readonly schema?: Schema;
        readonly schemaId?: string;
      }) => {
        const parent = names.project(request.parent);
        const name = names.resource("schemas", `${parent}/schemas/${request.schemaId ?? ""}`);
        return schemas.create(name, request.schema ?? { name });
      },
      GetSchema: (request: Named & Viewed) =>
        request.view === "BASIC" ? bare(find(request.name)) : find(request.name),
      ListSchemas: (request: Viewed & Paged & { readonly parent?: string }) => {
        const project = names.project(request.parent);
        const all = schemas.all().filter(({ name }) => name.startsWith(`${project}/`));
        const { items, nextPageToken } = page(all, (one) => one.name, request);
        return { schemas: request.view === "FULL" ? items : items.map(bare), nextPageToken };
      },
      ListSchemaRevisions: (request: Named & Viewed & Paged) => {
        const all = schemas
          .revisionsOf(parse(request.name).name)
          .toReversed()
          .map((schema, index) => ({ schema, at: String(index).padStart(4, "0") }));
        const { items, nextPageToken } = page(all, (one) => one.at, request);
        const shown = items.map(({ schema }) => (request.view === "FULL" ? schema : bare(schema)));
        return { schemas: shown, nextPageToken };
      },
      CommitSchema: (request: Named & { readonly schema?: Schema }) => {
        const { name } = parse(request.name);
        return schemas.commit(name, request.schema ?? { name });
      },
      RollbackSchema: (request: Named) => {
        const { name, revision } = named(request);
        return schemas.rollback(name, revision);
      },
      DeleteSchemaRevision: (request: Named) => {
        const { name, revision } = named(request);
        return schemas.removeRevision(name, revision);
      },
      DeleteSchema: ({ name }: Named) => {
        engine.deleteSchema(parse(name).name);
        return {};
      },
      ValidateSchema: async (request: { readonly parent?: string; readonly schema?: Schema }) => {
        names.project(request.parent);
        await schemas.compile(request.schema ?? { name: "" });
        return {};
      },
      ValidateMessage: async (request: {
        readonly parent?: string;
        readonly name?: string;
        readonly schema?: Schema;
        readonly message?: Buffer;
        readonly encoding?: string;
      }) => {
        names.project(request.parent);
        const { encoding } = request;
        if (encoding !== "JSON" && encoding !== "BINARY") {
          throw new RpcError("INVALID_ARGUMENT", "encoding must be JSON or BINARY.");
        }
        const schema = request.schema ?? find(request.name);
        await schemas.checkMessage(schema, request.message ?? Buffer.alloc(0), encoding);
        return {};
      },
    },
  };
}
