/** The products of the local cloud and how they are put together. */
import type { CloudContext, CloudProduct, CloudServices } from "./cloud.js";
import type { TokenSigner } from "./identity.js";
import { RpcError } from "./protocol/service.js";

/** A product by its folder. */
export const productNames = [
  "pubsub",
  "scheduler",
  "firestore",
  "storage",
  "logging",
  "monitoring",
  "vertex",
] as const;

/** One of the products. */
export type ProductName = (typeof productNames)[number];

type Faces = { -readonly [Name in keyof CloudServices]?: CloudServices[Name] };

const missing = (name: string): RpcError =>
  new RpcError("UNIMPLEMENTED", `This local cloud was started without ${name}.`);

/** The services' faces, found at call time; a product that was not started refuses. */
export function facesOf(faces: Faces): CloudServices {
  const get = <Name extends keyof CloudServices>(name: Name): CloudServices[Name] => {
    const face: Faces[Name] = faces[name];
    if (face === undefined) throw missing(name);
    return face;
  };
  return {
    pubsub: { publish: async (topic, messages) => await get("pubsub").publish(topic, messages) },
    storage: {
      read: async (bucket, name) => await get("storage").read(bucket, name),
      write: async (bucket, name, body, contentType) => {
        await get("storage").write(bucket, name, body, contentType);
      },
      list: async (bucket, prefix) => await get("storage").list(bucket, prefix),
    },
    logging: {
      write: async (entries) => {
        await get("logging").write(entries);
      },
    },
    monitoring: {
      write: (points) => {
        get("monitoring").write(points);
      },
    },
  };
}

type Maker = (context: CloudContext, tokens: TokenSigner) => CloudProduct & { face?: never };

/** Makes the wanted products, and fills in their faces. */
export async function makeProducts(
  wanted: readonly ProductName[],
  context: CloudContext,
  tokens: TokenSigner,
  faces: Faces,
): Promise<readonly CloudProduct[]> {
  const made: CloudProduct[] = [];
  for (const name of productNames) {
    if (!wanted.includes(name)) continue;
    let module: Record<string, Maker>;
    try {
      module = (await import(`./${name}/product.js`)) as Record<string, Maker>;
    } catch (error) {
      context.log(`${name} is not built yet: ${String(error)}`);
      continue;
    }
    const product = module[`${name}Product`]?.(context, tokens);
    if (product === undefined) continue;
    made.push(product);
    Object.assign(faces, { [name]: product.face });
  }
  return made;
}
